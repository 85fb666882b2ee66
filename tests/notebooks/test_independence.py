"""Tasks are independent, and nothing that stands around them touches what students write."""

from __future__ import annotations

import builtins
import functools
import symtable

import pytest

from flowlib.course.exercises import exercise
from flowlib.course.exercises.release import releasable
from tests.conftest import HOUSE

LESSONS = releasable(HOUSE)
CODING = [
    (lesson, task.grade_id)
    for lesson in LESSONS
    for task in exercise.read(HOUSE / "solutions" / lesson / "exercises.ipynb").tasks
]


@functools.cache
def solution(lesson):
    return exercise.read(HOUSE / "solutions" / lesson / "exercises.ipynb")


def bound(source: str) -> set[str]:
    """Names that a cell leaves behind."""
    return {
        symbol.get_name()
        for symbol in symtable.symtable(source, "cell", "exec").get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }


def taken(source: str) -> set[str]:
    """Global names that a cell uses and does not bind itself."""
    tables, names = [symtable.symtable(source, "cell", "exec")], set()
    for table in tables:
        tables += table.get_children()
        outside = table.get_type() == "module"
        names |= {
            s.get_name() for s in table.get_symbols() if s.is_referenced() and (outside or s.is_global())
        }
    return names - bound(source)


def given_above(lesson: str, grade_id: str) -> set[str]:
    """What the locked cells above a cell define."""
    names: set[str] = set()
    for cell in solution(lesson).cells:
        if cell.grade_id == grade_id:
            return names | set(dir(builtins)) | {"__name__"}
        if cell.role is exercise.Role.LOCKED and cell.kind == "code":
            names |= bound(cell.source)
    raise AssertionError(f"{lesson} has no cell {grade_id}")


@pytest.mark.parametrize(("lesson", "grade_id"), CODING)
def test_a_task_needs_only_what_is_given_above_it(lesson, grade_id):
    """So no reference answer has to run at grading, and one mistake costs once."""
    task = solution(lesson).task(grade_id)
    missing = taken(task.source) - given_above(lesson, grade_id)
    assert not missing, f"{grade_id} needs {sorted(missing)}: give it in a locked cell above"
    for test in task.tests:
        missing = taken(test.source) - given_above(lesson, test.grade_id) - set(task.names)
        assert not missing, f"{test.grade_id} needs {sorted(missing)}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_example_cells_leave_no_names_behind(lesson):
    """A free cell that bound `mask` or `points` would overwrite a student's helper or a given name."""
    for cell in solution(lesson).cells:
        if cell.kind == "code" and cell.role is exercise.Role.OTHER:
            left = {name for name in bound(cell.source) if not name.startswith("_")}
            assert not left, f"an example cell of {lesson} binds {sorted(left)}: put it in a function"


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_is_given_is_given_once(lesson):
    """A later locked cell would undo what a student did to the name of an earlier one, or to his own."""
    names: set[str] = {name for task in solution(lesson).tasks for name in bound(task.source)}
    for source in solution(lesson).setup:
        again = {name for name in bound(source) & names if name != "_"}
        assert not again, f"{lesson} binds {sorted(again)} twice"
        names |= bound(source)
