"""Trying one answer: the judge's own way, without walls.

For code that we wrote ourselves, such as the answer files that test the tests. The released notebook
runs as it does at grading, with the answer at its place and the other tasks untouched. What stands
above a task runs once; every answer to it then goes on from a fork of that process.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import functools
import hashlib
import json
import socket
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from flowlib.course.box.outside import Box
from flowlib.course.box.walls import Limits
from flowlib.course.exercises.exercise import Exercise, Task, grade_id_of
from flowlib.course.exercises.release import student_version
from flowlib.course.folders import NOTEBOOK
from flowlib.course.grading import judge, preflight, scratch, workers
from flowlib.course.grading.preflight import Submission
from flowlib.course.grading.record import Outcome

KEY = "rehearsal"  # the class key, of no class
MOST_KEPT = 8  # processes that wait for further answers


def rehearse(
    exercise: Exercise, grade_id: str, source: str | None = None, seconds: float = 30.0
) -> dict[str, Outcome]:
    """Try a source for one task.

    Args:
        source: the cell's source; None takes the one that the exercise holds.
        seconds: the limit of each cell and test.

    Returns:
        the outcome of each test, by grade_id.
    """
    task = exercise.task(grade_id)
    submission = fill(exercise, {grade_id: task.source if source is None else source})
    start, _, end = _places(submission, task)
    box = _run_up_to(exercise, grade_id, start)
    clock = _clock(seconds)
    outcomes, _ = judge.run(exercise, submission, box.fork, clock, KEY, range(start, end))
    return outcomes


def rehearse_draws(
    exercise: Exercise, grade_id: str, source: str, keys: Iterable[str], tests: Collection[str]
) -> list[dict[str, Outcome]]:
    """Try a source on what other class keys draw; the cells run once, the tests once for each key.

    Returns:
        for each key the outcomes of these tests; none if no test was reached.
    """
    task = exercise.task(grade_id)
    submission = fill(exercise, {grade_id: source})
    start, first_test, end = _places(submission, task)
    found = []
    with _run_up_to(exercise, grade_id, start).fork() as box:
        judge.Attempt(exercise, submission, _clock(), KEY).run(box, range(start, first_test))
        for key in keys if not box.lost else ():
            cells = range(first_test, end)
            outcomes, _ = judge.run(exercise, submission, box.fork, _clock(), key, cells, tests)
            found.append(outcomes)
    return found


def _places(submission: Submission, task: Task) -> tuple[int, int, int]:
    """Where a task's cell stands, where its first test, and where what concerns it ends."""
    where = [cell.grade_id for cell in submission.cells]
    first, last = task.tests[0], task.tests[-1]
    return where.index(task.grade_id), where.index(first.grade_id), where.index(last.grade_id) + 1


def _clock(seconds: float = Limits.cell_seconds) -> judge.Clock:
    limits = Limits(cell_seconds=seconds)
    return judge.Clock(limits, time.monotonic() + limits.total_seconds)


def fill(exercise: Exercise, sources: dict[str, str]) -> Submission:
    """The released notebook with these sources in its cells, as the judge reads it."""
    notebook = copy.deepcopy(_released(exercise.path, _fingerprint(exercise)))
    for cell in notebook["cells"]:
        cell["source"] = sources.get(grade_id_of(cell), cell["source"])
    return preflight.repair(preflight.Collected({NOTEBOOK: json.dumps(notebook).encode()}), exercise)


def open_box() -> Box:
    """An empty notebook in a process of its own, without walls."""
    zygote, folder = _warm_process()
    box = Box(zygote, folder, Limits(), isolate=False)
    # Nobody looks at the figures of a rehearsal, and turning them into pictures takes most of its time.
    box.run("%config InlineBackend.figure_formats = set()", Limits.cell_seconds)
    return box


@functools.lru_cache(maxsize=16)
def _released(path: Path, fingerprint: str) -> dict:
    return json.loads(student_version(path.resolve().parents[2], path.resolve().parent.name))


def _fingerprint(exercise: Exercise) -> str:
    return hashlib.sha256(json.dumps(exercise.notebook).encode()).hexdigest()


@functools.cache
def _warm_process() -> tuple[socket.socket, Path]:
    """The warm process of this one's rehearsals, and an empty folder of submitted files."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = workers.launch("flowlib.course.box.inside", [there])
    kept = contextlib.ExitStack()
    folder = kept.enter_context(scratch.folder()) / "submission"
    folder.mkdir()

    def end() -> None:
        here.close()
        for box in _kept.values():
            box.close()
        process.wait()
        kept.close()

    atexit.register(end)
    return here, folder


_kept: dict[tuple, Box] = {}


def _run_up_to(exercise: Exercise, grade_id: str, first: int) -> Box:
    """A process in which all that stands above a task has run."""
    name = exercise.path, _fingerprint(exercise), grade_id
    if name not in _kept:
        if len(_kept) == MOST_KEPT:
            _kept.pop(next(iter(_kept))).close()
        _kept[name] = open_box()
        judge.Attempt(exercise, fill(exercise, {}), _clock(), KEY).run(_kept[name], range(first))
    return _kept[name]
