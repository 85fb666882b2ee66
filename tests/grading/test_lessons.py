"""Every lesson's exercises on the road that students' work takes: released, filled in, graded in the box."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import read_answers
from flowlib.course.exercises.release import releasable
from flowlib.course.grading import journal
from tests.conftest import HOUSE
from tests.grading.course import grade_id_of

GRADED = HOUSE / ".build" / "grade"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lesson", releasable(HOUSE))
def test_sample_class_gets_the_marks_it_must(lesson):
    """`flowcourse sample-class`: test by test what rehearsals say; full marks for every right answer."""
    words = [sys.executable, "-m", "flowlib.course.cli", "sample-class", lesson]
    environment = os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=HOUSE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-3000:]
    assert "Every submission got the marks it must." in done.stdout
    work = exercise.read(HOUSE / "solutions" / lesson / "exercises.ipynb")
    records = journal.read(GRADED / "journal" / f"{lesson}.jsonl")
    assert not {record.student: record.why for record in records if record.needs_person}
    full = sum(task.points for task in work.tasks)
    best = [record.student for record in records if record.total == full]
    earned = {source for student in best for source in handed_in(lesson, student)}
    for answer in read_answers(work):
        assert not answer.right or answer.source.strip("\n") in earned, f"nobody handed in {answer.name}"


def handed_in(lesson: str, student: str) -> list[str]:
    """The sources of the marked cells that a student of the sample class handed in."""
    path = GRADED / "submitted" / student / lesson / "exercises.ipynb"
    return [exercise.text(cell) for cell in json.loads(path.read_text())["cells"] if grade_id_of(cell)]
