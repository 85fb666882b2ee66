"""Trying one answer: the judge's own way, without walls.

For code that we wrote ourselves, such as the answer files that test the tests. The released notebook
runs as it does at grading, with the answer at its place and the other tasks untouched. What stands
above a task runs once; every answer to it then goes on from a fork of that process.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import socket
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from flowlib.course.exercise import Exercise, Result
from flowlib.course.grading import judge, preflight, workers
from flowlib.course.grading.bridge import Box
from flowlib.course.grading.preflight import Submission
from flowlib.course.grading.sandbox import Limits
from flowlib.course.grading.trusted import PASSED
from flowlib.course.house import NOTEBOOK
from flowlib.course.release import student_version

KEY = "rehearsal"  # the class key, of no class
MOST_KEPT = 8  # processes that wait for further answers


def rehearse(
    exercise: Exercise,
    grade_id: str,
    source: str | None = None,
    seconds: float = 30.0,
    key: str = KEY,
    tests: Collection[str] | None = None,
) -> list[Result]:
    """Try a source for one task.

    Args:
        source: the cell's source; None takes the one that the exercise holds.
        seconds: the limit of each cell and test.
        key: the class key: with another one, tests that draw hidden numbers draw others.
        tests: which tests of the task to run; by default all.

    Returns:
        one Result for each test.
    """
    task = exercise.task(grade_id)
    names = [test.grade_id for test in task.tests if tests is None or test.grade_id in tests]
    submission = fill(exercise, {grade_id: task.source if source is None else source})
    where = [cell.grade_id for cell in submission.cells]
    first, last = where.index(grade_id), where.index(task.tests[-1].grade_id)
    limits = Limits(cell_seconds=seconds)
    clock = judge.Clock(limits, time.monotonic() + limits.total_seconds)
    box = _run_up_to(exercise, grade_id, first)
    outcomes, _ = judge.run(exercise, submission, box.fork, clock, key, range(first, last + 1), names)
    done = [(name, outcomes[name]) for name in names]
    return [Result(name, o.status == PASSED, o.points, o.message) for name, o in done]


def fill(exercise: Exercise, sources: dict[str, str]) -> Submission:
    """The released notebook with these sources in its cells, as the judge reads it."""
    notebook = copy.deepcopy(_released(exercise.path, _fingerprint(exercise)))
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = sources.get(grade_id, cell["source"])
    return preflight.repair(preflight.Collected({NOTEBOOK: json.dumps(notebook).encode()}), exercise)


def open_box() -> Box:
    """An empty notebook in a process of its own, without walls."""
    place = tempfile.TemporaryDirectory(prefix="flowcourse-")
    folder = Path(place.name) / "submission"
    folder.mkdir()
    box = Box(_warm_process(), folder, Limits(), isolate=False)
    box.place = place  # lives as long as the box
    return box


@functools.lru_cache(maxsize=16)
def _released(path: Path, fingerprint: str) -> dict:
    return json.loads(student_version(path.resolve().parents[2], path.resolve().parent.name))


def _fingerprint(exercise: Exercise) -> str:
    return hashlib.sha256(json.dumps(exercise.notebook).encode()).hexdigest()


@functools.cache
def _warm_process() -> socket.socket:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    workers.launch("box", [there])
    return here


_kept: dict[tuple, Box] = {}


def _run_up_to(exercise: Exercise, grade_id: str, first: int) -> Box:
    """A process in which all that stands above a task has run."""
    name = exercise.path, _fingerprint(exercise), grade_id
    if name not in _kept:
        if len(_kept) == MOST_KEPT:
            _kept.pop(next(iter(_kept))).close()
        _kept[name] = open_box()
        clock = judge.Clock(Limits(), time.monotonic() + Limits().total_seconds)
        above = judge.Attempt(exercise, fill(exercise, {}), clock, KEY)
        above.run(_kept[name], range(first))
    return _kept[name]
