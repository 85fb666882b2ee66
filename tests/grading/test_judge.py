"""The judge itself: where cells run, how often, what counts, and what never enters a student's process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from flowlib.course.box import walls
from flowlib.course.box.outside import Box
from flowlib.course.box.walls import Limits
from flowlib.course.exercises import exercise
from flowlib.course.exercises.exercise import SOLUTION
from flowlib.course.folders import CourseError
from flowlib.course.grading import (
    feedback,
    judge,
    preflight,
    rehearsal,
    run,
    trial,
    trusted,
    written,
)
from flowlib.course.grading.gradebook import Book
from flowlib.course.grading.record import Outcome, State, Status, Verdict
from tests.grading.course import ALL, Class, before, cell_of, make_course


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    klass = Class(make_course(tmp_path_factory.mktemp("judge")))
    klass.exercise = exercise.read(klass.solution)
    return klass


class Listening(Box):
    """A box that remembers what was sent to its process."""

    def _ask(self, do, seconds, **arguments):
        self.heard.append(repr(arguments))
        return super()._ask(do, seconds, **arguments)


class Judged:
    """What became of a notebook: outcomes, the first attempt, and all that its processes were told."""

    def __init__(self, klass: Class, notebook: dict, seconds: float = 30.0, key: str = "key"):
        files = {"exercises.ipynb": json.dumps(notebook).encode()}
        submission = preflight.repair(preflight.Collected(files), klass.exercise)
        limits = Limits(cell_seconds=seconds)
        clock = judge.Clock(limits, time.monotonic() + limits.total_seconds)
        zygote, folder = rehearsal._warm_process()
        self.heard: list[str] = []
        self.attempts = 0

        def new_box() -> Box:
            self.attempts += 1
            box = Listening(zygote, folder, limits, isolate=False)
            box.heard = self.heard
            return box

        self.outcomes, self.first = judge.run(klass.exercise, submission, new_box, clock, key)
        self.points = sum(outcome.score for outcome in self.outcomes.values())


# ---------------------------------------------------------------------------- order


def ids(klass: Class, notebook: dict) -> list[str]:
    """The marks, or the sources, of the cells in the order in which they run."""
    files = {"exercises.ipynb": json.dumps(notebook).encode()}
    cells = preflight.repair(preflight.Collected(files), klass.exercise).cells
    return [cell.grade_id or cell.source for cell in cells if cell.kind == "code"]


def test_released_cells_run_where_the_release_has_them(klass):
    released = [c.grade_id for c in klass.exercise.cells if c.grade_id and c.kind == "code"]
    assert ids(klass, klass.right_notebook()) == released
    turned = klass.right_notebook()
    turned["cells"].reverse()
    assert ids(klass, turned) == released
    doubled = klass.right_notebook()
    doubled["cells"] += [cell_of(doubled, name) for name in ("setup", "task3_given", "task1_test")]
    assert ids(klass, doubled) == released
    bare = klass.right_notebook()
    bare["cells"] = [cell_of(bare, task) for task in ("task1", "task2", "task3", "task4")]
    assert ids(klass, bare) == released


def test_a_students_cell_follows_the_released_cell_above_it(klass):
    notebook = before(before(klass.right_notebook(), "task3", "a = 1"), "task3_given", "b = 1")
    order = ids(klass, notebook)
    assert order[order.index("a = 1") - 1] == "task3_given"
    assert order[order.index("b = 1") - 1] == "task2_test"
    given = cell_of(notebook, "task3_given")
    notebook["cells"].remove(given)
    notebook["cells"].append(given)
    assert ids(klass, notebook).index("a = 1") == order.index("b = 1") + 1


# ---------------------------------------------------------------------------- attempts


def test_one_attempt_is_enough_for_work_that_is_wrong(klass):
    judged = Judged(klass, klass.right_notebook(task1="def affine(z, a, b):\n    return z, z", task2="1 / 0"))
    assert (judged.attempts, judged.points) == (1, ALL - 7)


@pytest.mark.parametrize(
    "source",
    [
        "class TimeLimit(Exception): pass\nraise TimeLimit('30 s')",
        "class TimeLimit(KeyboardInterrupt): pass\nraise TimeLimit('the time limit was reached')",
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)",
    ],
)
def test_only_the_graders_clock_says_that_time_ran_out(klass, source):
    inside = "\n".join(f"    {line}" for line in source.split("\n"))
    judged = Judged(klass, klass.right_notebook(task1=source, task2=f"def normal_log_prob(z):\n{inside}"))
    assert (judged.attempts, judged.points) == (1, ALL - 7)
    assert not judged.first.fatal
    assert all("longer" not in outcome.message for outcome in judged.outcomes.values())


def test_a_cell_that_is_stopped_costs_no_second_attempt(klass):
    judged = Judged(klass, klass.right_notebook(task2="while True:\n    pass"), seconds=2.0)
    assert (judged.attempts, judged.points) == (1, ALL - 4)
    assert "longer than 2 s" in judged.outcomes["task2_test"].message


def test_each_further_attempt_leaves_out_one_more_cell(klass):
    notebook = before(klass.right_notebook(), "task1", "import os; os._exit(0)")
    notebook = before(notebook, "task4", "import os; os._exit(0)")
    judged = Judged(klass, notebook)
    assert (judged.attempts, judged.points) == (3, ALL)


def test_a_test_counts_as_it_ended_in_the_first_attempt_that_reached_it(klass, tmp_path):
    """Right only from the second attempt on, which a crash further down has bought."""
    source = f"""
import pathlib
def affine(z, a, b):
    again = pathlib.Path({str(tmp_path / "again")!r})
    if not again.exists():
        again.touch()
        return z, z
    return a * z + b, torch.full_like(z, math.log(abs(a)))
"""
    judged = Judged(klass, before(klass.right_notebook(task1=source), "task4", "import os; os._exit(0)"))
    assert (tmp_path / "again").exists()
    assert judged.attempts == 2
    assert (judged.outcomes["task1_test"].status, judged.points) == ("failed", ALL - 3)


def test_a_test_that_ends_the_process_is_not_tried_again(klass):
    judged = Judged(klass, klass.right_notebook(task2="import os\ndef normal_log_prob(z):\n    os._exit(0)"))
    assert (judged.attempts, judged.points) == (2, ALL - 4)
    assert judged.outcomes["task2_test"].status == "kernel lost"


# ---------------------------------------------------------------------------- what must stay secret


def test_no_reference_and_no_hidden_test_is_sent_to_a_students_process(klass):
    notebook = klass.notebook(task1="def affine(z, a, b):\n    return z, z", task4="import os; os._exit(0)")
    judged = Judged(klass, before(notebook, "task2", "import os; os._exit(0)"))
    assert judged.attempts == 3
    heard = "\n".join(judged.heard)
    assert "standard_normal" in heard
    for task in klass.exercise.tasks:
        kept = exercise.without_region(task.source, SOLUTION)
        for line in set(task.source.split("\n")) - set(kept.split("\n")):
            assert len(line.strip()) < 20 or line.strip() not in heard
    for secret in ("secret_slope", "hidden_points", "hidden_seed"):
        assert secret not in heard


KEEP = """
class {name}(Exception):
    pass
seen = []
def affine(z, a, b):
    seen.append(a)
    return a * z + b, torch.full_like(z, math.log(abs(a)))
"""


def test_what_a_process_says_after_a_hidden_test_is_not_shown(klass):
    notebook = klass.right_notebook(
        task1=KEEP.format(name="Told") + "print('early words')",
        task2="def normal_log_prob(z):\n    raise ValueError(f'told {seen}')",
        task3="raise Told(f'told {seen}')",
        task4="def Fit(steps):\n    raise type(f'told{-seen[-1]:.0f}', (Exception,), {})",
    )
    judged = Judged(klass, before(notebook, "task2", "print('told', seen)\nseen"))
    shown = json.dumps(judged.first.shown)
    said = " ".join(outcome.message for outcome in judged.outcomes.values())
    assert "early words" in shown and judge.NOT_SHOWN.strip() in shown
    for words in ("told 3", "told ["):
        assert words not in said
    assert judged.outcomes["task1_test"].status == "passed"
    assert "Told" not in said and "told" not in said
    assert "your code raised ValueError" in judged.outcomes["task2_test"].message
    outputs = json.dumps([cell["outputs"] for cell in judged.first.shown])
    assert "told" not in outputs and "-3.25" not in outputs


def test_a_type_of_ones_own_is_not_named_in_a_hidden_test(klass):
    source = "def affine(z, a, b):\n    if a < 0:\n        raise type(f'Slope{-a:.2f}', (Exception,), {})\n"
    judged = Judged(klass, klass.right_notebook(task1=source + "    return a * z + b, z"))
    assert judged.outcomes["task1_test"].message == (
        "your code raised an error of its own type on an input of a hidden test"
    )


# ---------------------------------------------------------------------------- points that a person gives


def test_a_coding_cell_that_a_person_marks_keeps_its_points(klass, tmp_path):
    """task4 has tests and points of its own; both count, and a person is asked unless nothing was written."""
    notebook = json.loads(klass.solution.read_text())
    cell_of(notebook, "task4")["metadata"]["nbgrader"] |= {"grade": True, "points": 3}
    work = exercise.parse(notebook, klass.solution)
    assert work.points == klass.exercise.points + 3
    assert [task.grade_id for task in work.tasks] == [task.grade_id for task in klass.exercise.tasks]
    for source, waits in ((klass.right["task4"], True), (cell_of(klass.released, "task4")["source"], False)):
        files = {"exercises.ipynb": json.dumps(klass.right_notebook(task4=source)).encode()}
        cells = preflight.repair(preflight.Collected(files), work).cells
        blank = written.unanswered(cells, work)
        assert blank == ([] if waits else ["task4"])
        verdict = Verdict.untried(State.GRADED, work, [""], [])
        verdict.tests = dict.fromkeys(verdict.tests, Outcome(Status.PASSED, 5.0, 5.0, ""))
        verdict.why, verdict.unanswered = [], blank
        marks = feedback.automatic_marks(work, verdict)
        assert marks.cells["task4"].most == 3 and marks.cells["task4"].waits is waits
        page = feedback.page("ann", "01_small", work, [], verdict, True)
        assert ("a person marks this (3)" in page) is waits and page.count("<h3>task4</h3>") == 1
    with Book(f"sqlite:///{tmp_path / 'gradebook.db'}", "01_small", work) as book:
        assert book.book.find_grade_cell("task4", "exercises", "01_small").max_score == 3


# ---------------------------------------------------------------------------- the class key


def test_the_class_key_changes_what_hidden_tests_draw(klass, tmp_path):
    def drawn(key: str) -> str:
        log = tmp_path / key
        source = (
            "def affine(z, a, b):\n"
            f"    open({str(log)!r}, 'a').write(str((a, z.tolist())))\n"
            "    return a * z + b, torch.full_like(z, math.log(abs(a)))"
        )
        assert Judged(klass, klass.right_notebook(task1=source), key=key).points == ALL
        text = log.read_text()
        log.unlink()
        return text

    one, other = drawn("one"), drawn("other")
    assert one != other
    assert drawn("one") == one
    assert one.split("(-3.25")[0] == other.split("(-3.25")[0]  # what is visible stays


# ---------------------------------------------------------------------------- where grading is refused


def test_a_notebook_of_our_own_finds_out_whether_the_memory_is_enough():
    zygote, _ = rehearsal._warm_process()
    assert trial.why_not(zygote, Limits()) == ""
    assert "600 MB of memory are too little" in trial.why_not(zygote, Limits(memory_mb=600))


@pytest.mark.parametrize("what", ["solution", "submitted", "out"])
def test_nothing_is_graded_where_the_box_shows_what_students_must_not_see(klass, tmp_path, what):
    paths = {"solution": klass.solution, "submitted": tmp_path, "out": tmp_path / "out"}
    paths[what] = Path(sys.prefix) / "share" / "course"
    with pytest.raises(CourseError, match="students' code may read"):
        run._keep_out_of_sight(run.Plan(assignment="01_small", **paths))


def test_folders_that_the_box_shows(tmp_path):
    assert walls.shown(Path("/usr/local/share/course")) == Path("/usr")
    assert walls.shown(tmp_path) is None
    (tmp_path / "link").symlink_to("/usr/share")
    assert walls.shown(tmp_path / "link" / "course") == Path("/usr")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("patient A is not '3.14,2.71,-1.5': look again", "patient A is not '...': look again"),
        ("it isn't 'sign'; that doesn't fit", "it isn't 'sign'; that doesn't fit"),
        ("x is off by 1e-08 at 3.14159265, of 1234567", "x is off by 1e-08 at 3.142, of 1.235e+06"),
        ("with D = 40, NLL 3.91 is above 3.80", "with D = 40, NLL 3.91 is above 3.80"),
    ],
)
def test_a_message_of_a_hidden_test_carries_no_foreign_words_and_no_long_numbers(said, shown):
    assert trusted.cleared(said, ["words = ('healthy', 'sign')"]) == shown


def test_an_answer_in_words_cannot_carry_what_a_process_has_seen(klass):
    words = "def normal_log_prob(z):\n    return f'told {seen}'"
    judged = Judged(klass, klass.right_notebook(task1=KEEP.format(name="Told"), task2=words))
    assert judged.outcomes["task2_test"].status == "failed"
    assert "told" not in judged.outcomes["task2_test"].message
