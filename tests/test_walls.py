"""The walls of the house: who may import whom, in flowlib and in its course."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator

import pytest

from tests.conftest import HOUSE
from tests.imports import graph, imports, modules

# A file of flowlib imports only from files before it.
ROOMS = [
    "moved", "inputs", "recording", "gradients", "saving", "bijection", "scalar", "splines", "mixtures",
    "volume", "linear", "planar", "nets", "coupling", "memory", "image", "fused", "autoregressive",
    "continuous", "spectral", "lipschitz", "fixed_point", "residual", "base", "flow", "models", "failures",
    "processes", "rows", "training", "assets", "data", "targets", "derivatives", "numerics", "cures",
    "suspects", "subjects", "answers", "checks", "reader", "drawing", "table", "plots", "pictures",
]  # fmt: skip
# A floor of the course imports only from itself and from floors below it.
FLOORS = [
    "folders", "house", "extras", "git", "lab", "box", "exercises", "update", "pages", "grading", "edition",
    "doctor", "sample_class", "new_lesson", "cli",
]  # fmt: skip
GRADING = [
    "marks", "names", "private", "scratch", "clean", "record", "written", "preflight", "layouts", "archives",
    "intake", "classes", "journal", "trusted", "similarity", "judge", "workers", "trial", "rehearsal",
    "feedback", "worker", "gradebook", "erase", "run", "report", "commands",
]  # fmt: skip
COURSE = "flowlib.course"


def of_course() -> list[str]:
    return [module for module in modules() if module.startswith(COURSE)]


def place(module: str, depth: int) -> str:
    """The name of a module's room: flowlib.course.grading.run -> grading at depth 2, run at depth 3."""
    return [*module.split("."), "", "", ""][depth]


def test_the_graph_sees_what_is_imported():
    """Also what a function imports when it is called: nothing below would be worth much otherwise."""
    assert "flowlib.course.pages.site" in graph()["flowlib.course.cli"]
    assert "flowlib.course.box.values" in graph()["flowlib.course.box.outside"]
    assert sum(map(len, graph().values())) > 200


def test_each_room_of_flowlib_uses_only_what_came_before():
    rooms = [place(module, 1) for module in modules() if module.count(".") == 1 and module != COURSE]
    assert sorted(rooms) == sorted(ROOMS), "a file of flowlib has no place in the order of the course"
    for room in rooms:
        for used in graph()[f"flowlib.{room}"] - {"flowlib"}:
            assert not used.startswith(COURSE), f"flowlib/{room}.py imports {used}"
            assert ROOMS.index(place(used, 1)) < ROOMS.index(room), f"flowlib/{room}.py imports {used}"


def test_no_floor_of_the_course_uses_one_above_it():
    assert {place(module, 2) for module in of_course()} - {""} == set(FLOORS)
    for module in of_course():
        floor = place(module, 2)
        for used in graph()[module]:
            if floor and used.startswith(COURSE):
                assert FLOORS.index(place(used, 2)) <= FLOORS.index(floor), f"{module} imports {used}"


def test_each_room_of_grading_uses_only_what_came_before():
    rooms = [place(module, 3) for module in of_course() if module.startswith(f"{COURSE}.grading.")]
    assert sorted(rooms) == sorted(GRADING), "a file of grading has no place in its order"
    for room in rooms:
        for used in graph()[f"{COURSE}.grading.{room}"]:
            if place(used, 2) == "grading":
                assert GRADING.index(place(used, 3)) < GRADING.index(room), f"{room} imports {used}"


def test_the_box_uses_nothing_else_of_the_course():
    for module in of_course():
        if place(module, 2) == "box":
            strange = {
                used for used in graph()[module] if used.startswith(COURSE) and place(used, 2) != "box"
            }
            assert not strange, f"{module} imports {', '.join(strange)}"


def test_no_import_goes_round_in_a_circle():
    try:
        graphlib.TopologicalSorter(graph()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_packages_of_the_course_import_nothing():
    """So one module can be loaded without its neighbours and what they need."""
    packages = [path.parent for path in (HOUSE / "flowlib" / "course").rglob("__init__.py")]
    assert len(packages) >= 5
    for package in packages:
        name = ".".join(package.relative_to(HOUSE).parts)
        body = modules()[name].body
        assert not [n for n in body if not isinstance(n, ast.Expr)], (
            f"{name} does more than say what it holds"
        )


@pytest.mark.parametrize("module", of_course())
def test_the_course_uses_public_names_only(module):
    """Of flowlib and of its own modules, as `from m import _name` and as `m._name`."""
    called = set()
    for used, name, as_name in imports(module):
        assert not name.startswith("_"), f"{module} imports {name} of {used}"
        if not name:
            called.add(as_name)
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            assert ast.unparse(node.value) not in called, f"{module} uses {ast.unparse(node)}"


def test_only_exercises_reads_the_marks_of_cells():
    """nbgrader's metadata have one reader: `exercise.Cell`, `read_cells` and `grade_id_of`."""
    readers = {module for module, tree in modules().items() if "nbgrader" in keys(tree)}
    assert readers == {f"{COURSE}.exercises.exercise"}


def keys(tree: ast.Module) -> Iterator[object]:
    """The constants by which a module looks into dictionaries: d[key], d.get(key), key in d, {key: ...}."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            looked = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            looked = node.args[:1] if node.func.attr in ("get", "pop", "setdefault") else []
        elif isinstance(node, ast.Compare):
            looked = [node.left]
        else:
            looked = node.keys if isinstance(node, ast.Dict) else []
        yield from (key.value for key in looked if isinstance(key, ast.Constant))
