"""What the course imports is declared in pyproject.toml, and what is declared is used, extra by extra."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from flowlib.course import extras
from flowlib.course.doctor import normalised
from flowlib.course.exercises.exercise import read_cells
from flowlib.course.folders import CourseError, lesson_names
from tests.conftest import HOUSE
from tests.imports import graph, modules, packages

PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
PROVIDED_BY = {
    module: {normalised(name) for name in names}
    for module, names in metadata.packages_distributions().items()
}
WITH_CUDA = "triton"  # which PyTorch's wheels for CUDA bring
# Used without an import: the file that uses it, and what stands there.
PROGRAMS = {
    "ipython": ("flowlib/course/exercises/sources.py", "from IPython.core.inputtransformer2"),
    "matplotlib-inline": ("flowlib/course/box/inside.py", "import matplotlib_inline"),
    "jupyterlab": ("flowlib/course/lab.py", '"jupyterlab"'),
    "nbval": ("Makefile", "--nbval"),
    "pytest": ("Makefile", "-m pytest"),
    "psycopg2-binary": ("flowlib/course/grading/commands.py", "postgresql+psycopg2"),
    "sphinx": ("flowlib/course/pages/site.py", '"sphinx"'),
    "furo": ("flowlib/course/pages/site.py", 'html_theme = "furo"'),
    "myst-nb": ("flowlib/course/pages/site.py", "myst_nb"),
    "mypy": ("tests/run.py", '"mypy"'),
    "ruff": ("tests/run.py", '"ruff"'),
    "nbdime": ("CONTRIBUTING.md", "nbdime config-git"),
    "pre-commit": ("CONTRIBUTING.md", "pre-commit install"),
    "pytest-timeout": ("tests/test_cli.py", "mark.timeout"),
    "pytest-xdist": ("tests/run.py", '"-n"'),
}
# What each extra serves: modules of the course, with all that they import.
STUDENTS = (
    "cli",
    "doctor",
    "lab",
    "grading.commands",
    "grading.preflight",
    "exercises.inputs",
    "exercises.rules",
)
SERVES = {
    "grade": ("edition", "exercises.release", "grading.erase", "grading.report", "sample_class"),
    "site": ("pages.site", "pages.slides", "pages.folds"),  # Sphinx loads the last by its name
}


def at_load(module: str) -> set[str]:
    """The modules of flowlib that are loaded with this one; not those that its functions import."""
    names = {alias for node in modules()[module].body for alias in packages_of(node)}
    return graph()[module] & names


def packages_of(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()


def reached(roots: tuple[str, ...], step) -> set[str]:
    """These modules of the course, and all that a step leads to."""
    found, waiting = set(), [f"flowlib.course.{root}" for root in roots]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += step(module)
    return found


def imported(trees) -> set[str]:
    """The packages that these parsed files import, as constraints.txt spells them."""
    found: set[str] = set()
    for tree in trees:
        for module in packages(ast.walk(tree)) - sys.stdlib_module_names - {"flowlib", "tests", WITH_CUDA}:
            assert module in PROVIDED_BY, f"{module} is imported, and nothing brings it"
            found |= PROVIDED_BY[module]
    return found


@cache
def by_students() -> set[str]:
    """What a student's commands load at once, and notebooks import."""
    names = reached(STUDENTS, at_load)
    loaded = [ast.Module([n for n in modules()[m].body if packages([n])], []) for m in names]
    cells = [
        cell.source
        for folder in ("lessons", "solutions")
        for path in sorted((HOUSE / folder).glob("*/*.ipynb"))
        for cell in read_cells(json.loads(path.read_text(encoding="utf-8")))
        if cell.kind == "code"
    ]
    doctor = modules()["flowlib.course.doctor"]  # its functions look at one package after the other
    plain = [
        "\n".join(line for line in source.split("\n") if not re.match(r"\s*[%!]", line)) for source in cells
    ]
    return imported([*loaded, doctor, modules()[IN_NOTEBOOKS], *map(ast.parse, plain)])


def declared(*names: str) -> set[str]:
    return {normalised(package) for name in ("", *names) for package in DECLARED[name]}


def files(*folders: str):
    for folder in folders:
        for path in sorted((HOUSE / folder).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


IN_NOTEBOOKS = "flowlib.pictures.stage"  # sliders are of use there alone: [course] brings what they need


def of_library():
    names = [name for name in modules() if not name.startswith("flowlib.course") and name != IN_NOTEBOOKS]
    return [modules()[name] for name in names]


# ---------------------------------------------------------------------------- imported, so declared


def test_the_library_asks_for_what_it_imports():
    assert imported(of_library()) <= declared()


def test_a_students_extra_brings_what_students_run():
    assert by_students() <= declared("course")


@pytest.mark.parametrize("extra", SERVES)
def test_an_extra_brings_what_its_commands_import(extra):
    names = reached(SERVES[extra], lambda module: graph()[module])
    assert imported(modules()[name] for name in names) <= declared("course", extra, "cluster")


def test_the_course_imports_nothing_else():
    assert imported(modules().values()) <= declared("course", "grade", "cluster", "site")


def test_the_checks_import_what_is_declared():
    assert imported(files("tests", "assets")) <= declared("course", "grade", "dev", "bench")


# ---------------------------------------------------------------------------- declared, so used


@cache
def users(extra: str) -> set[str]:
    """What the files import for which an extra is there."""
    if extra == "":
        return imported(of_library())
    if extra == "course":
        return by_students() | imported([modules()["flowlib.course.exercises.release"]])  # nbgrader
    if extra in ("dev", "bench"):
        return imported(files("tests", "assets"))
    names = reached(SERVES["grade" if extra == "cluster" else extra], lambda module: graph()[module])
    return imported(modules()[name] for name in names)


@pytest.mark.parametrize(("extra", "package"), [(e, p) for e, names in DECLARED.items() for p in names])
def test_what_is_declared_is_used(extra, package):
    if package in PROGRAMS:
        file, word = PROGRAMS[package]
        assert word in (HOUSE / file).read_text(encoding="utf-8"), f"{file} does not use {package}"
    else:
        assert normalised(package) in users(extra), f"nothing imports {package}, which [{extra}] brings"


def test_students_download_no_workbench():
    """No browser, no checker, no cluster comes along with [course]."""
    workbench = {normalised(name) for extra in ("cluster", "bench") for name in DECLARED[extra]}
    workbench |= {"playwright", "hypothesis", "mypy", "ruff", "pytest-xdist", "copydetect", "nh3", "nbdime"}
    assert not brought_along("", "course") & (workbench | {"furo", "myst-nb", "sphinx"})


# ---------------------------------------------------------------------------- where an extra is missing


def brought_along(*names: str) -> set[str]:
    """All that pip installs for these extras."""
    found: set[str] = set()
    waiting = [package for name in names for package in DECLARED[name]]
    while waiting:
        name, extra = re.match(r"([\w.-]+)(?:\[(\w+)\])?", waiting.pop()).groups()
        if normalised(name) in found:
            continue
        found.add(normalised(name))
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # asked for on another system only
        waiting += [line for line in lines if "extra ==" not in line or (extra and f'"{extra}"' in line)]
    return found


@pytest.fixture(scope="module")
def students_packages(tmp_path_factory) -> Path:
    """A folder that holds flowlib and what pip installs with [course], as links, and nothing else."""
    folder = tmp_path_factory.mktemp("site-packages")
    for package in brought_along("", "course"):
        try:
            listed = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in listed} - {"..", "__pycache__"}:
            (folder / top).unlink(missing_ok=True)
            (folder / top).symlink_to(Path(metadata.distribution(package).locate_file(top)))
    (folder / "flowlib").symlink_to(HOUSE / "flowlib")
    (folder / "flowlib-1.dist-info").mkdir()
    asked = [f"Requires-Dist: {package}" for package in DECLARED[""]]
    for extra, names in DECLARED.items():
        asked += [f'Requires-Dist: {package}; extra == "{extra}"' for package in names if extra]
    head = "Metadata-Version: 2.4\nName: flowlib\nVersion: 1\n"
    (folder / "flowlib-1.dist-info" / "METADATA").write_text(head + "\n".join(asked) + "\n")
    return folder


def flowcourse(packages: Path, *arguments: str, cwd: Path = HOUSE):
    """The command in a Python that has these packages only."""
    environment = {**os.environ, "PYTHONPATH": str(packages), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-S", "-m", "flowlib.course.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["grade", "01"], "grade"),
        (["regrade", "01"], "grade"),
        (["feedback", "01"], "grade"),
        (["formgrader", "01"], "grade"),
        (["erase", "nobody", "--yes"], "grade"),
        (["release", "--check"], "grade"),
        (["student-edition", "/nowhere"], "grade"),
        (["sample-class", "01"], "grade"),
        (["slides", "01"], "site"),
        (["site"], "site"),
    ],
)
def test_a_command_without_its_extra_says_how_to_install_it(students_packages, arguments, extra):
    done = flowcourse(students_packages, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert "must be installed for this:" in line
    assert line.endswith(f'-m pip install -c constraints.txt -e ".[course,{extra}]"')


def test_students_commands_run_with_a_students_packages(students_packages):
    path = f"lessons/{lesson_names(HOUSE)[0]}/exercises.ipynb"
    done = flowcourse(students_packages, "check", path)
    assert done.returncode == 0 and "Receipt" in done.stdout, done.stderr
    done = flowcourse(students_packages, "lab", "--port", "70000")
    assert done.returncode == 1 and "--port" in done.stderr
    done = flowcourse(students_packages, "doctor")
    assert "not installed, only instructors need it: copydetect, nh3" in done.stdout, (
        done.stdout + done.stderr
    )
    assert '-e ".[course,grade]"' in done.stdout


def test_an_extra_that_is_there_is_not_refused():
    for extra in DECLARED:
        extras.needs(extra)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda _: ['nowhere-to-be-found; extra == "grade"', "numpy"])
    assert extras.asked_for("grade") == ["nowhere-to-be-found"] and extras.asked_for("") == ["numpy"]
    with pytest.raises(
        CourseError, match=r"^nowhere-to-be-found must be installed for this: .*\[course,grade\]"
    ):
        extras.needs("grade")
