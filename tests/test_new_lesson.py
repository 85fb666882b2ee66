"""The scaffold of a lesson runs, its exercises can be graded, and its tests say what it lacks."""

from __future__ import annotations

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from flowlib.course.exercises import release
from flowlib.course.exercises.answers import read_answers
from flowlib.course.exercises.exercise import read
from flowlib.course.folders import CourseError
from flowlib.course.grading.rehearsal import rehearse
from flowlib.course.new_lesson import new_lesson
from tests.conftest import HOUSE
from tests.notebooks import test_lessons, test_pattern

NAME = "98_a_trial"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course that has a new lesson and nothing else."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(HOUSE / "nbgrader_config.py", root)
    shutil.copytree(HOUSE / "assets", root / "assets", ignore=shutil.ignore_patterns("weights"))
    (root / "lessons").mkdir()
    new_lesson(root, NAME)
    release.release(root, [NAME])
    return root


def test_it_takes_the_names_of_lessons_only(course):
    for name, words in (("8_splines", "is called like"), ("98_other", "already: 98_a_trial")):
        with pytest.raises(CourseError, match=words):
            new_lesson(course, name)


@pytest.mark.parametrize("kind", ["lesson", "demo"])
def test_its_notebooks_run(course, kind):
    path = course / "lessons" / NAME / f"{kind}.ipynb"
    book = nbformat.read(path, as_version=4)
    assert "@N" not in path.read_text(), "a mark of the scaffold was left"
    NotebookClient(
        book, store_widget_state=False, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    assert not [out for cell in book.cells for out in cell.get("outputs", []) if out.get("name") == "stderr"]
    nbformat.write(book, path)


def test_its_answers_are_judged_as_they_say(course):
    exercise = read(course / "solutions" / NAME / "exercises.ipynb")
    released = course / "lessons" / NAME / "exercises.ipynb"
    assert "BEGIN" not in released.read_text()
    answers = read_answers(exercise)
    assert [answer.right for answer in answers] == [True, False, False]
    for source, caught_by, says in [(None, "", ""), *((a.source, a.caught_by, a.says) for a in answers)]:
        outcomes = rehearse(exercise, "task1", source)
        failed = {name: outcome.message for name, outcome in outcomes.items() if not outcome.passed}
        assert says in failed[caught_by] if caught_by else not failed


def test_its_tests_say_what_it_lacks(course, monkeypatch):
    for module in (test_lessons, test_pattern):
        monkeypatch.setattr(module, "HOUSE", course)
    place = test_pattern.turns(NAME)[0]
    test_pattern.test_a_stub_is_refused_in_words(NAME, place)
    test_pattern.test_the_folded_solution_is_right_and_short(NAME, place)
    test_pattern.test_a_second_reading_is_a_whole_section(NAME)
    test_lessons.test_a_demo_asks_moves_answers_and_prompts_the_speaker(NAME)
    for test, words in (
        (test_pattern.test_every_guess_is_set_beside_a_measured_answer_that_starts_folded, "of at least 4"),
        (test_pattern.test_the_reader_writes_early_and_often, "of at least 3"),
        (test_pattern.test_first_and_second_reading_have_the_right_size, "of 35 to 60"),
        (test_pattern.test_the_end_has_questions_readings_and_the_way_on, "of 5"),
        (test_pattern.test_a_lesson_moves, "widgets.interact"),
    ):
        with pytest.raises(AssertionError, match=words):
            test(NAME)
