"""Releasing exercises: in step, the same bytes every time, nothing given away."""

from __future__ import annotations

import json

import nbformat
import pytest

from flowlib.course.exercises import exercise
from flowlib.course.exercises.release import find_leaks, releasable, release, student_version
from flowlib.course.folders import CourseError
from flowlib.course.grading.rehearsal import rehearse
from tests.conftest import HOUSE
from tests.tiny import LESSON


def edit(path, change):
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


@pytest.mark.parametrize("lesson", releasable(HOUSE))
def test_released_exercises_are_in_step(lesson):
    (outcome,) = release(HOUSE, [lesson], check=True)
    assert outcome.state == "unchanged", f"run: flowcourse release {lesson[:2]}"
    assert outcome.leaks == []


def test_release_is_the_same_bytes_every_time(tiny_course):
    (outcome,) = release(tiny_course)
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"
    first = target.read_bytes()
    assert outcome.state == "written"
    assert outcome.leaks == []
    assert student_version(tiny_course, LESSON) == first
    assert release(tiny_course)[0].state == "unchanged"
    assert sorted(p.name for p in target.parent.iterdir()) == ["exercises.ipynb"]
    assert sorted(p.name for p in (tiny_course / ".build").iterdir()) == []


def test_stubs_say_what_to_write(tiny_course):
    release(tiny_course)
    released = exercise.read(tiny_course / "lessons" / LESSON / "exercises.ipynb")
    assert 'raise NotImplementedError("Task 1: write scale")' in released.task("task1").source
    assert 'raise NotImplementedError("Task 2: write Shift.forward")' in released.task("task2").source
    assert 'raise NotImplementedError("Task 2: write Shift, total")' in released.task("task2").source
    assert released.written[0].source.strip() == "*Write your answer here.*"


def test_untouched_release_earns_nothing(tiny_course):
    release(tiny_course)
    solution = exercise.read(tiny_course / "solutions" / LESSON / "exercises.ipynb")
    released = exercise.read(tiny_course / "lessons" / LESSON / "exercises.ipynb")
    for task in released.tasks:
        results = rehearse(solution, task.grade_id, task.source).values()
        assert not any(result.passed for result in results)
        assert all("NotImplementedError" in result.message for result in results)


def test_check_sees_a_changed_source_and_a_changed_release(tiny_course):
    release(tiny_course)
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"
    good = target.read_bytes()
    target.write_bytes(good + b"\n")
    assert release(tiny_course, check=True)[0].state == "out of step"
    assert target.read_bytes() == good + b"\n"
    target.write_bytes(good)
    source = tiny_course / "solutions" / LESSON / "exercises.ipynb"
    edit(source, lambda notebook: notebook.cells[0].update(source="# Changed"))
    assert release(tiny_course, check=True)[0].state == "out of step"
    assert release(tiny_course)[0].state == "written"


def test_a_solution_that_stands_in_the_statement_is_held_back(tiny_course):
    source = tiny_course / "solutions" / LESSON / "exercises.ipynb"
    secret = "log_det = torch.full(z.shape, math.log(abs(a)), dtype=z.dtype)"
    edit(source, lambda notebook: notebook.cells[2].update(source=f"Write\n\n    {secret}"))
    (outcome,) = release(tiny_course)
    assert outcome.state == "held back"
    assert secret in outcome.leaks[0]
    assert not (tiny_course / "lessons" / LESSON / "exercises.ipynb").exists()


def type_into(path, answer="x = 1  # three evenings of work"):
    edit(path, lambda notebook: notebook.cells[3].update(source=answer))
    return path.read_bytes()


def test_work_typed_into_a_released_notebook_is_not_written_over(tiny_course):
    release(tiny_course)
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"
    work = type_into(target)
    edit(
        tiny_course / "solutions" / LESSON / "exercises.ipynb",
        lambda notebook: notebook.cells[0].update(source="# New"),
    )
    for options in ({}, {"check": True}, {"check": True, "force": True}):
        assert release(tiny_course, **options)[0].state == "edited"
        assert target.read_bytes() == work
    for _ in range(2):  # twice within a second: both copies stay
        (outcome,) = release(tiny_course, force=True)
        assert outcome.state == "written" and outcome.leaks == []
        assert outcome.copy.read_bytes() == work
        assert release(tiny_course)[0].state == "unchanged"
        work = type_into(target, answer="y = 2")
    assert len(list(target.parent.glob("exercises.*.ipynb"))) == 2


@pytest.mark.parametrize("where", [0, 4, "new", "deleted", "broken"])
def test_any_change_of_a_cell_counts_as_work(tiny_course, where):
    """A word in the text, a locked cell, a new cell, a missing one, a file that is no notebook."""
    release(tiny_course)
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"
    if where == "broken":
        target.write_text("{")
    elif where == "new":
        edit(target, lambda notebook: notebook.cells.append(nbformat.v4.new_markdown_cell("my notes")))
    elif where == "deleted":
        edit(target, lambda notebook: notebook.cells.pop())
    else:
        edit(target, lambda notebook: notebook.cells[where].update(source="changed"))
    before = target.read_bytes()
    assert release(tiny_course)[0].state == "edited"
    assert target.read_bytes() == before


def test_running_a_released_notebook_is_no_work(tiny_course):
    release(tiny_course)
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"

    def run(notebook):
        notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
        notebook.cells[1].update(execution_count=1)

    edit(target, run)
    assert release(tiny_course, check=True)[0].state == "out of step"
    assert release(tiny_course)[0].state == "written"


def test_stray_files_are_reported(tiny_course):
    (tiny_course / "lessons" / LESSON).mkdir()
    (tiny_course / "lessons" / LESSON / "answers.txt").write_text("secret")
    assert "stray file: answers.txt" in release(tiny_course)[0].leaks[0]


def test_leaks_are_found():
    code = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    assert find_leaks(json.dumps({"cells": []}), json.dumps({"cells": [code | {"source": "x = 1"}]})) == []
    shown = code | {"source": "### BEGIN HIDDEN TESTS", "execution_count": 3}
    assert len(find_leaks(json.dumps({"cells": []}), json.dumps({"cells": [shown]}))) == 2


def test_nbgraders_refusal_is_passed_on(tiny_course):
    source = tiny_course / "solutions" / LESSON / "exercises.ipynb"
    edit(source, lambda notebook: notebook.cells[3].update(source="### BEGIN SOLUTION\nx = 1"))
    with pytest.raises(CourseError, match="no end solution statement found"):
        release(tiny_course)
