"""One submission, from cells to points: the one way in which answers are judged.

The released notebook runs from top to bottom with the student's cells at their place, and each test
where it stands. If a cell or a test ends the process, what comes after it is saved by further attempts,
each of which leaves out one more such cell; a test counts as it ended in the first attempt that reached
it. Tasks are independent, so nothing of the reference answers ever runs.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowlib.course.box.outside import Box, BoxLost
from flowlib.course.box.walls import Limits
from flowlib.course.exercises.exercise import HIDDEN, Cell, Exercise, Role, Task, TestCell, given_code
from flowlib.course.grading import preflight, scratch, similarity, trusted, written
from flowlib.course.grading.preflight import Submission
from flowlib.course.grading.record import Outcome, State, Status, Verdict

MAX_SHOWN = 8 * 2**20  # characters of all outputs of a submission
TOO_MUCH = "[What this cell showed is left out: the outputs of this notebook are too large.]\n"
NOT_SHOWN = "[What this cell showed is left out, because a hidden test had run before it.]\n"


def judge(
    files: dict[str, bytes],
    notes: list[str],
    flags: list[str],
    exercise: Exercise,
    zygote: socket.socket,
    limits: Limits,
    key: str,
    worker: int = 0,
    seed: int = 0,
    isolate: bool = True,
) -> tuple[Verdict, list[dict]]:
    """Grade the files of one submission. Whatever they hold, this returns a verdict.

    Args:
        key: what hidden tests draw from.
        seed: of the student's process.

    Returns:
        the verdict, and the cells as the student's process ran them.
    """
    start = time.monotonic()
    collected = preflight.Collected(files, list(notes), list(flags))
    try:
        submission = preflight.repair(collected, exercise)
    except preflight.Unreadable as error:
        why = [*collected.flags, str(error)]
        return Verdict.untried(State.FAILED, exercise, why, collected.notes, collected.receipt), []
    clock = Clock(limits, start + limits.total_seconds)
    with scratch.folder() as place:
        folder = place / "submission"
        submission.notes += _lay_out(collected, folder)

        def new_box() -> Box:
            return Box(zygote, folder, limits, worker, seed, isolate, clock.end)

        outcomes, first = run(exercise, submission, new_box, clock, key)
    why = [*submission.flags, *_doubts(outcomes, first), *similarity.from_flowlib(first.code, exercise)]
    verdict = Verdict(
        outcome=State.FLAGGED if why else State.GRADED,
        why=why,
        notes=submission.notes,
        tests=outcomes,
        sources=submission.sources(exercise),
        unanswered=written.unanswered(submission.cells, exercise),
        receipt=collected.receipt,
        seconds=round(time.monotonic() - start, 3),
    )
    return verdict, first.shown


def _doubts(outcomes: dict[str, Outcome], first: Attempt) -> list[str]:
    """What a person should see before these points count, each thing once."""
    tampering = first.tampering or any(test.status is Status.TAMPERING for test in outcomes.values())
    found = ["its process sent replies that no notebook sends"] if tampering else []
    return found + list(dict.fromkeys(doubt for test in outcomes.values() for doubt in test.doubts))


def _lay_out(collected: preflight.Collected, folder: Path) -> list[str]:
    """Write the submitted files where the box can read them; what could not be written, in words."""
    folder.mkdir(mode=0o755)
    notes = []
    for name, content in collected.files.items():
        path = Path(os.path.normpath(folder / name))
        try:
            if not path.is_relative_to(folder):
                raise ValueError("it leads out of the folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (OSError, ValueError):  # of a zip: a name too long, or one that is a file and a folder too
            notes.append(f"{name[:100]!r} could not be laid beside the notebook: its name is of no use here")
    return notes


# ---------------------------------------------------------------------------- attempts


@dataclass
class Clock:
    """The time of one submission."""

    limits: Limits
    end: float

    def cell(self) -> float:
        """Seconds that the next cell may take."""
        return max(0.0, min(self.limits.cell_seconds, self.end - time.monotonic()))

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end


def run(
    exercise: Exercise,
    submission: Submission,
    new_box: Callable[[], Box],
    clock: Clock,
    key: str,
    cells: range | None = None,
    tests: Collection[str] | None = None,
) -> tuple[dict[str, Outcome], Attempt]:
    """Run a submission in as many attempts as it needs.

    Args:
        cells: the numbers of the cells to run; by default of all.
        tests: which of the tests among them to run; by default all.

    Returns:
        the outcomes of these tests, and the first attempt.
    """
    first: Attempt | None = None
    outcomes: dict[str, Outcome] = {}
    left_out: set[int] = set()
    while True:
        attempt = Attempt(exercise, submission, clock, key, left_out, tests, scored=outcomes)
        with new_box() as box:
            attempt.run(box, range(len(submission.cells)) if cells is None else cells)
        first = first or attempt
        outcomes = outcomes | attempt.outcomes
        left_out = left_out | attempt.fatal
        if clock.over or not attempt.not_reached:
            return outcomes | attempt.not_reached, first


class Attempt:
    """One process, from the first cell to the last."""

    def __init__(
        self,
        exercise: Exercise,
        submission: Submission,
        clock: Clock,
        key: str,
        left_out: Collection[int] = (),
        tests: Collection[str] | None = None,
        scored: Collection[str] = (),
    ):
        self.submission, self.clock, self.key, self.left_out = submission, clock, key, left_out
        self.tests = {
            test.grade_id: (task, test)
            for task in exercise.tasks
            for test in task.tests
            if test.grade_id not in scored and (tests is None or test.grade_id in tests)
        }
        self.code, self.released = submission.code(), given_code(exercise)
        self.outcomes: dict[str, Outcome] = {}  # of the tests that this attempt reached
        self.not_reached: dict[str, Outcome] = {}
        self.shown: list[dict] = []
        self.room = MAX_SHOWN
        self.fatal: set[int] = set()  # cells that ended the process, or that the clock had to stop
        self.tampering = False
        self.errors: dict[str, str] = {}  # why the cell of a task did not run to its end

    def run(self, box: Box, cells: range) -> None:
        """Follow the notebook from top to bottom."""
        self.box = box
        for step in cells:
            cell = self.submission.cells[step]
            if cell.role is Role.TEST:
                if cell.grade_id in self.tests:
                    self._test(step, *self.tests[cell.grade_id])
            elif not cell.given:
                self._student_cell(cell, step)
            elif cell.kind == "code":
                self._execute(cell, step)
        self.tampering = bool(box.lost and box.lost.reason == "tampering")

    def _private(self, step: int) -> bool:
        """A hidden test ran before this cell: what the student's process says now could be its inputs."""
        above = self.submission.cells[:step]
        return any(cell.role is Role.TEST and HIDDEN[0] in cell.source for cell in above)

    def _student_cell(self, cell: Cell, step: int) -> None:
        outputs: list = []
        error = None
        if cell.kind == "code" and step not in self.left_out and cell.source.strip():
            error, outputs = self._execute(cell, step)
        if outputs and self._private(step):
            outputs = _only(NOT_SHOWN)
        self.room -= _size(outputs)
        if self.room < 0:
            outputs = _only(TOO_MUCH)
        self.shown.append(
            {
                "kind": cell.kind,
                "source": cell.source,
                "grade_id": cell.grade_id,
                "role": cell.role,
                "outputs": outputs,
                "error": error,
            }
        )

    def _execute(self, cell: Cell, step: int) -> tuple[str | None, list]:
        """Run a cell; why it did not run, in the grader's words, and what it showed."""
        if self.box.lost:
            return "not run: the process had ended before", []
        if self.clock.over:
            return "not run: the time for this submission was used up", []
        seconds = self.clock.cell()
        self.errors.pop(cell.grade_id, None)
        try:
            reply = self.box.run(cell.source, seconds)
        except BoxLost as lost:
            self.fatal.add(step)
            self.errors[cell.grade_id] = str(lost)
            return str(lost), []
        if error := reply["error"]:
            if self.box.stopped:
                self.errors[cell.grade_id] = f"it ran longer than {seconds:.0f} s and was stopped"
                self.fatal.add(step)  # the process lives; but no further attempt shall wait for it again
            else:
                self.errors[cell.grade_id] = trusted.words_of(error, self._private(step))
        return None, reply["outputs"] if isinstance(reply["outputs"], list) else []

    def _test(self, step: int, task: Task, test: TestCell) -> None:
        if task.grade_id not in self.code:
            outcome = Outcome(Status.MISSING, 0.0, test.points, "the cell of this task is missing")
        elif self.clock.over:
            message = f"the time for this submission ({self.clock.limits.total_seconds:.0f} s) was used up"
            self.not_reached[test.grade_id] = Outcome(Status.TIMED_OUT, 0.0, test.points, message)
            return
        elif self.box.lost:
            message = f"not run, because the process had ended before: {self.box.lost}"
            self.not_reached[test.grade_id] = Outcome(Status.LOST, 0.0, test.points, message)
            return
        else:
            above = self.submission.cells[:step]
            given = [cell.source for cell in above if cell.role is Role.LOCKED and cell.kind == "code"]
            seconds, private = self.clock.cell(), self._private(step)
            outcome = trusted.run_test(
                test, self.box, task.names, given, self.code, seconds, self.key, private, self.released
            )
            if outcome.status is Status.FAILED and task.grade_id in self.errors:
                why = f"the cell of {task.grade_id} did not run to its end: {self.errors[task.grade_id]}"
                outcome.message = why if outcome.undefined else f"{why}. Then: {outcome.message}"
        self.outcomes[test.grade_id] = outcome


def _only(words: str) -> list[dict]:
    """Outputs that say this and nothing else."""
    return [{"output_type": "stream", "name": "stdout", "text": words}]


def _size(value: Any) -> int:
    """How many characters there are in what a cell showed."""
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes) else 1
