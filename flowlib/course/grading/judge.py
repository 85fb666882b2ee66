"""One submission, from files to points.

First the notebook runs as the student wrote it, each test at its place. If a test fails, it runs
again in a fresh process, and this time the reference answer of each task follows the tests of that
task: a task then stands on right earlier ones, and one mistake costs once. The better result counts.
"""

from __future__ import annotations

import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowlib.course.exercise import Exercise, Task, public
from flowlib.course.grading import preflight, trusted
from flowlib.course.grading.bridge import Box, BoxLost
from flowlib.course.grading.preflight import Cell, Submission
from flowlib.course.grading.sandbox import Limits
from flowlib.course.grading.trusted import Outcome

WRITE_HERE = "*Write your answer here.*"  # what released notebooks say in a written task
GRADED, FAILED, FLAGGED = "graded", "failed", "flagged"


@dataclass
class Verdict:
    """All that the grader has to say of one submission."""

    outcome: str
    why: list[str] = field(default_factory=list)  # why a person should look, or why it failed
    notes: list[str] = field(default_factory=list)  # what was repaired
    tests: dict[str, dict] = field(default_factory=dict)  # grade_id -> Outcome
    cells: list[dict] = field(default_factory=list)  # the executed notebook
    sources: dict[str, str] = field(default_factory=dict)  # submitted code of each task
    unanswered: list[str] = field(default_factory=list)  # written tasks left as they were
    receipt: str = ""
    seconds: float = 0.0


@dataclass
class _Clock:
    limits: Limits
    end: float

    def cell(self) -> float:
        """Seconds that the next cell may take."""
        return max(0.0, min(self.limits.cell_seconds, self.end - time.monotonic()))

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end


def judge(
    files: dict[str, bytes],
    notes: list[str],
    flags: list[str],
    exercise: Exercise,
    zygote: socket.socket,
    limits: Limits,
    worker: int = 0,
    seed: int = 0,
    isolate: bool = True,
) -> Verdict:
    """Grade the files of one submission. Whatever they hold, this returns a verdict."""
    start = time.monotonic()
    collected = preflight.Collected(files, list(notes), list(flags))
    verdict = Verdict(GRADED, receipt=collected.receipt)
    try:
        submission = preflight.repair(collected, exercise)
    except preflight.Unreadable as error:
        verdict.outcome, verdict.why, verdict.notes = FAILED, [*flags, str(error)], collected.notes
        for task in exercise.tasks:
            for test in task.tests:
                outcome = Outcome(trusted.NOT_GRADED, 0.0, test.points, str(error))
                verdict.tests[test.grade_id] = outcome.as_dict()
        return verdict
    clock = _Clock(limits, start + limits.total_seconds)
    with tempfile.TemporaryDirectory(prefix="flowcourse-") as place:
        folder = Path(place) / "submission"
        _lay_out(collected, folder)

        def new_box() -> Box:
            return Box(zygote, folder, limits, worker, seed, isolate, clock.end)

        first = _Attempt(exercise, submission, clock)
        first.run(new_box)
        outcomes = dict(first.outcomes)
        avoid = first.fatal
        for _ in range(len(exercise.tasks) + 1):
            if clock.over or not _worth_another(exercise, outcomes, avoid):
                break
            again = _Attempt(exercise, submission, clock, reference=True, avoid=avoid, passed=outcomes)
            again.run(new_box)
            for grade_id, outcome in again.outcomes.items():
                if outcome.score > outcomes[grade_id].score:
                    outcome.message = ""
                    outcomes[grade_id] = outcome
            if not again.fatal - avoid:
                break
            avoid |= again.fatal
    verdict.tests = {grade_id: outcome.as_dict() for grade_id, outcome in outcomes.items()}
    verdict.cells, verdict.sources = first.shown, submission.sources(exercise)
    verdict.notes = submission.notes
    verdict.unanswered = _unanswered(submission, exercise)
    verdict.why = list(submission.flags)
    if any(o.status == trusted.TAMPERING for o in outcomes.values()) or first.tampering:
        verdict.why.append("its process sent replies that no notebook sends")
    if verdict.why:
        verdict.outcome = FLAGGED
    verdict.seconds = round(time.monotonic() - start, 3)
    return verdict


def _worth_another(exercise: Exercise, outcomes: dict[str, Outcome], fatal: frozenset) -> bool:
    """Reference answers can help if a test failed after an earlier task did, or after the process ended."""
    short = [
        any(outcomes[test.grade_id].status != trusted.PASSED for test in task.tests)
        for task in exercise.tasks
    ]
    return sum(short) > 1 or (any(short) and bool(fatal))


def _unanswered(submission: Submission, exercise: Exercise) -> list[str]:
    """Written tasks whose cell is missing or still says what it said when released."""
    given = {cell.grade_id: cell.source for cell in submission.cells if cell.role == "written"}
    blank = []
    for written in exercise.written:
        answer = " ".join(given.get(written.grade_id, "").replace(WRITE_HERE, "").split())
        if answer in ("", " ".join(public(written.source).replace(WRITE_HERE, "").split())):
            blank.append(written.grade_id)
    return blank


def _lay_out(collected: preflight.Collected, folder: Path) -> None:
    """Write the submitted files where the box can read them."""
    folder.parent.chmod(0o755)
    folder.mkdir(mode=0o755)
    for name, content in collected.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class _Attempt:
    """One process, from setup to the last test."""

    def __init__(
        self,
        exercise: Exercise,
        submission: Submission,
        clock: _Clock,
        reference: bool = False,
        avoid: frozenset[Any] = frozenset(),
        passed: dict[str, Outcome] | None = None,
    ):
        self.exercise, self.submission, self.clock = exercise, submission, clock
        self.reference, self.avoid = reference, avoid
        self.skip = {name for name, o in (passed or {}).items() if o.status == trusted.PASSED}
        self.outcomes: dict[str, Outcome] = {}
        self.shown: list[dict] = []
        self.fatal: frozenset[Any] = frozenset()  # cells and tests that ended the process
        self.tampering = False
        self.errors: dict[str, str] = {}  # why the cell of a task did not run to its end
        self.followed: set[str] = set()  # tasks whose reference has run
        self.sources = submission.sources(exercise)

    def run(self, new_box) -> None:
        """Follow the student's notebook from top to bottom."""
        with new_box() as box:
            self.box = box
            for source in self.exercise.setup:
                self._execute(source, None)
            for step, cell in enumerate(self.submission.cells):
                if cell.role == "task":
                    self._close_tasks(before=cell.grade_id)
                if cell.role == "test":
                    self._test_here(cell.grade_id, step)
                elif cell.role == "locked":
                    continue
                else:
                    self._student_cell(cell, step)
            self._close_tasks()
        self.tampering = bool(box.lost and box.lost.reason == "tampering")

    # The student's cells.

    def _student_cell(self, cell: Cell, step: int) -> None:
        outputs: list = []
        error = None
        if cell.kind == "code" and step not in self.avoid and cell.source.strip():
            error, outputs = self._execute(cell.source, step, cell.grade_id)
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

    def _execute(self, source: str, step: int | None, grade_id: str = "") -> tuple[str | None, list]:
        if self.box.lost:
            return "not run: the process had ended before", []
        if self.clock.over:
            return "not run: the time for this submission was used up", []
        seconds = self.clock.cell()
        try:
            reply = self.box.run(source, seconds)
        except BoxLost as lost:
            self.fatal |= {step}
            self.errors[grade_id] = str(lost)
            return str(lost), []
        if error := reply["error"]:
            self.errors[grade_id] = f"{error['types'][0]}: {error['message']}"
            if "TimeLimit" in error["types"]:
                self.errors[grade_id] = f"it ran longer than {seconds:.0f} s and was stopped"
                self.fatal |= {step}  # it ended nothing, but need not be waited for again
        return None, reply["outputs"] if isinstance(reply["outputs"], list) else []

    # Tests.

    def _seen(self, task: Task) -> bool:
        return any(cell["grade_id"] == task.grade_id for cell in self.shown)

    def _test_here(self, grade_id: str, step: int) -> None:
        """A test cell of the notebook: run it if its task is above it and it has not run yet."""
        for task in self.exercise.tasks:
            for test in task.tests:
                if test.grade_id == grade_id and self._seen(task):
                    # Of a task with cells further down, the tests wait for the last one.
                    later = self.submission.cells[step + 1 :]
                    if not any(cell.grade_id == task.grade_id for cell in later):
                        self._test(task, test)
                        self._follow_with_reference(task)

    def _close_tasks(self, before: str | None = None) -> None:
        """Run the tests that are due and have no cell of their own any more."""
        for task in self.exercise.tasks:
            if task.grade_id == before:
                continue
            waiting = before is not None and not self._complete(task) and not self._left_out(task, before)
            for test in task.tests:
                if not waiting:
                    self._test(task, test)
            if not waiting:
                self._follow_with_reference(task)

    def _complete(self, task: Task) -> bool:
        """All the cells of a task have run."""
        have = sum(cell["grade_id"] == task.grade_id for cell in self.shown)
        want = sum(cell.grade_id == task.grade_id for cell in self.submission.cells)
        return have == want and want > 0

    def _left_out(self, task: Task, before: str) -> bool:
        """The student handed in no cell for a task that comes before another."""
        order = [other.grade_id for other in self.exercise.tasks]
        return task.grade_id not in self.sources and order.index(task.grade_id) < order.index(before)

    def _test(self, task: Task, test) -> None:
        if test.grade_id in self.outcomes or test.grade_id in self.skip:
            return
        if task.grade_id not in self.sources:
            outcome = Outcome(trusted.MISSING, 0.0, test.points, "the cell of this task is missing")
        elif test.grade_id in self.avoid:
            outcome = Outcome(trusted.LOST, 0.0, test.points)
        elif self.clock.over:
            message = f"the time for this submission ({self.clock.limits.total_seconds:.0f} s) was used up"
            outcome = Outcome(trusted.TIMED_OUT, 0.0, test.points, message)
        elif self.box.lost:
            message = f"not run, because the process had ended before: {self.box.lost}"
            outcome = Outcome(trusted.LOST, 0.0, test.points, message)
        else:
            names = [name for other in self.exercise.tasks for name in other.names]
            outcome = trusted.run_test(self.exercise, test, self.box, names, self.sources, self.clock.cell())
            if self.box.lost:
                self.fatal |= {test.grade_id}
            elif outcome.undefined and task.grade_id in self.errors:
                outcome.message = (
                    f"the cell of {task.grade_id} did not run to its end: {self.errors[task.grade_id]}"
                )
        self.outcomes[test.grade_id] = outcome

    def _follow_with_reference(self, task: Task) -> None:
        done = all(t.grade_id in self.outcomes or t.grade_id in self.skip for t in task.tests)
        if self.reference and done and task.grade_id not in self.followed and not self.box.lost:
            self.followed.add(task.grade_id)
            self._execute(task.source, None)
