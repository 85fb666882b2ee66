"""Grading one answer in this very process: the same tests and the same bridge, without the walls.

For code that we wrote ourselves, such as the answer files that test the tests. Values cross as
bytes here too, so what a test can see of an answer is what it sees at grading.
"""

from __future__ import annotations

import contextlib
import io
import linecache
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from flowlib.course.exercise import Exercise, Result, defined_names
from flowlib.course.grading import box, bridge, trusted, values


def rehearse(
    exercise: Exercise, grade_id: str, source: str | None = None, seconds: float = 30.0
) -> list[Result]:
    """Try a source for one task, after the reference answers to the tasks before it.

    Args:
        source: the cell's source; None takes the one that the exercise holds.
        seconds: the limit of each test cell.

    Returns:
        one Result for each test cell of the task. A source that does not even run fails all.
    """
    task = exercise.task(grade_id)
    source = task.source if source is None else source
    before = exercise.tasks[: exercise.tasks.index(task)]
    sources = {other.grade_id: other.source for other in before} | {grade_id: source}
    names = [name for text in (*sources.values(), task.source) for name in defined_names(text)]
    with _unchanged():
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for number, cell in enumerate([*exercise.setup, *(other.source for other in before)]):
            _execute(cell, f"<before {number}>", namespace)
        try:
            _execute(source, f"<{grade_id}>", namespace)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            return [Result(test.grade_id, False, test.points, said) for test in task.tests]
        results = []
        for test in task.tests:
            outcome = trusted.run_test(exercise, test, OpenBox(namespace), names, sources, seconds)
            passed = outcome.status == trusted.PASSED
            results.append(Result(test.grade_id, passed, test.points, outcome.message))
        return results


class OpenBox(bridge.Box):
    """A box without walls around a namespace of this process."""

    def __init__(self, namespace: dict[str, Any]):
        self.lost = None
        self.saw_nan = ""
        self._desk = _Desk(namespace)

    def close(self) -> None:
        pass

    def _ask(self, do: str, seconds: float, **arguments: Any) -> Any:
        arguments = _as_bytes_and_back(arguments)
        try:
            return _as_bytes_and_back(getattr(self._desk, f"do_{do}")(**arguments))
        except Exception as error:
            raise bridge._raised(box._describe(error), seconds) from error


class _Desk(box.Notebook):
    """The part of a student's notebook that answers calls."""

    def __init__(self, namespace: dict[str, Any]):
        self.shell = SimpleNamespace(user_ns=namespace)
        self.objects = {}


def _as_bytes_and_back(value: Any) -> Any:
    message = values.pack(value)
    header, _ = values._PREFIX.unpack(message[: values._PREFIX.size])
    body = message[values._PREFIX.size :]
    return values.unpack(body[:header], body[header:])


def _execute(source: str, name: str, namespace: dict) -> None:
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # for tracebacks
    exec(compile(source, name, "exec"), namespace)


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Keep seeds, the default dtype and the screen as they are, whatever an answer does."""
    import matplotlib.pyplot as plt

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        dtype, state = torch.get_default_dtype(), (torch.random.get_rng_state(), np.random.get_state())
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.random.set_rng_state(state[0])
            np.random.set_state(state[1])
            plt.close("all")
