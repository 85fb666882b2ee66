"""Running a test cell in the grader's own process, against stand-ins for the student's names."""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import re
import signal
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import flowlib
from flowlib.course.box.outside import Box, BoxLost, CallRefused
from flowlib.course.exercises.exercise import HIDDEN, TestCell
from flowlib.course.exercises.rules import hidden_seeds, submitted_sources
from flowlib.course.grading.record import Outcome, Status

FAR = 12345.0  # from everything that a right answer returns, and finite in every dtype
_REASONS = {"timed out": Status.TIMED_OUT, "kernel lost": Status.LOST, "tampering": Status.TAMPERING}


class _OutOfTime(BaseException):
    """The test cell itself ran too long."""


def run_test(
    test: TestCell,
    box: Box,
    names: tuple[str, ...],
    given: list[str],
    sources: dict[str, str],
    seconds: float,
    key: str,
    private: bool = False,
    released: tuple[str, ...] = (),
) -> Outcome:
    """Run one test cell with stand-ins for the student's names.

    Args:
        names: what the task was to define.
        given: the locked cells above the test.
        sources: all code of the student's, for tests that look at what was used.
        seconds: the limit of the whole cell; a single call may take as long.
        key: the class key, from which hidden tests draw.
        private: the student's process has seen a hidden test, so none of its own words may be shown.
        released: the code that students were given.
    """
    run = functools.partial(_run, test, box, names, given, sources, seconds, key, private, released)
    outcome = run()
    if outcome.passed and (nan := box.saw_nan):
        # Every comparison with NaN is false, so a test that asks "is the error large?" lets it through.
        # A test that looks at a NaN does not pass when a number stands in its place.
        for number in (FAR, -FAR):
            box.for_nan = number
            again = run()
            box.for_nan = None
            if not again.passed:
                return replace(outcome, status=Status.FAILED, score=0.0, message=nan, doubts=[])
    return outcome


def _run(test, box, names, given, sources, seconds, key, private, released) -> Outcome:
    """Run a test cell once; see `run_test`."""
    start = time.monotonic()
    status, message, undefined = Status.FAILED, "", False
    doubts: list[str] = []
    try:
        with _quiet(), _time_limit(seconds), box.allow(seconds):
            namespace: dict[str, Any] = {"__name__": "__main__"}
            for number, source in enumerate(given):
                exec(compile(source, f"<given {number}>", "exec"), namespace)
            namespace.update(box.look(names, seconds))
            with (
                submitted_sources(sources, released) as doubts,
                hidden_seeds(f"{key} {test.grade_id}"),
            ):
                exec(compile(test.source, _filename(test), "exec"), namespace)
        status = Status.PASSED
    except _OutOfTime:
        status, message = Status.TIMED_OUT, f"the test was stopped after {seconds:.0f} s"
    except BoxLost as lost:
        message = str(lost)
    except (Exception, SystemExit) as error:
        message = explain(error, test, box.saw_object, private)
        if private or _in_hidden_part(error, test):
            message = cleared(message, (test.source, *given, *released))
        undefined = isinstance(error, NameError) and not hasattr(error, "from_student")
    if box.lost:
        # Also when the test went on without the answer: what a lost process "passed" is worth nothing.
        status = _REASONS[box.lost.reason]
        message = str(box.lost)
    score = test.points if status is Status.PASSED else 0.0
    seconds = round(time.monotonic() - start, 3)
    return Outcome(status, score, test.points, message, seconds, undefined, doubts if score else [])


def explain(error: BaseException, test: TestCell, saw_object: str = "", private: bool = False) -> str:
    """What the student may read of a failure.

    Of a hidden part: only words that the test's author or flowlib.checks wrote, never values. A process
    that has seen a hidden test could put what it saw into an exception's words, or into its type's name.
    """
    hidden = _in_hidden_part(error, test)
    private = private or hidden
    if isinstance(error, BoxLost):
        return str(error)
    if hasattr(error, "too_long"):
        return f"your code {str(error).removeprefix('it ')}"
    if name := getattr(error, "from_student", None):
        said = {"type": name, "message": str(error).removeprefix(f"{name}: ")}
        if hidden:
            return f"your code raised {words_of(said, True)} on an input of a hidden test"
        again = " (run this test in your notebook to see why)" if private else ""
        return f"your code raised {words_of(said, private)}{again}"
    if isinstance(error, CallRefused):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "the test ran out of memory on what your code returned"
    if isinstance(error, NameError):
        return f"{error}: did you define it in this task's cell?"
    if (
        isinstance(error, AssertionError)
        and str(error)
        and (not hidden or _written_for_students(error, test))
    ):
        return str(error)
    if hidden:
        return "a hidden test, on other inputs than the visible ones, found a wrong result"
    if isinstance(error, AssertionError):
        return f"this does not hold: {_line(error, test)}"
    why = "" if private else f": {saw_object or f'{type(error).__name__}: {error}'}"
    return f"the test could not use what your code returned{why}"


def cleared(message: str, known: Iterable[str]) -> str:
    """A message without what could carry hidden inputs out: foreign words in quotes, and long numbers.

    Words stay that stand in the exercise; of a number four digits stay, enough to learn from.
    """

    def quoted(found: re.Match) -> str:
        return found.group() if any(found.group(2) in text for text in known) else "'...'"

    def number(found: re.Match) -> str:
        return found.group() if len(found.group()) <= 6 else f"{float(found.group()):.4g}"

    message = re.sub(r"(?<!\w)(['\"])((?:(?!\1).)+)\1(?!\w)", quoted, message)
    return re.sub(r"(?<![\w.])\d+(\.\d+(e[-+]?\d+)?)?(?![\w.])", number, message)


def words_of(error: dict, private: bool) -> str:
    """A student's exception; in private no words and no names but Python's own."""
    if not private:
        return f"{error['type']}: {error['message']}"
    return error["type"] if hasattr(builtins, error["type"]) else "an error of its own type"


def _frames(error: BaseException, test: TestCell) -> list[traceback.FrameSummary]:
    return [f for f in traceback.extract_tb(error.__traceback__) if f.filename == _filename(test)]


def _in_hidden_part(error: BaseException, test: TestCell) -> bool:
    frames = _frames(error, test)
    if not frames:
        return HIDDEN[0] in test.source
    lines = test.source.split("\n")
    inside = False
    for number, line in enumerate(lines, start=1):
        if HIDDEN[0] in line:
            inside = True
        elif HIDDEN[1] in line:
            inside = False
        elif inside and any(frame.lineno == number for frame in frames):
            return True
    return False


def _written_for_students(error: BaseException, test: TestCell) -> bool:
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return last == _filename(test) or Path(last).is_relative_to(Path(flowlib.__file__).parent)


def _line(error: BaseException, test: TestCell) -> str:
    frames = _frames(error, test)
    number = frames[-1].lineno if frames else None
    return test.source.split("\n")[number - 1].strip() if number else "a condition of the test"


def _filename(test: TestCell) -> str:
    return f"<{test.grade_id}>"


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Stop trusted code that hostile values have made slow: by its own processor time.

    Waiting for the box takes none; calls have limits of their own.
    """

    def alarm(*_):
        raise _OutOfTime

    before = signal.signal(signal.SIGPROF, alarm)
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(io.StringIO()):
            dtype, state = torch.get_default_dtype(), (torch.random.get_rng_state(), np.random.get_state())
            try:
                yield
            finally:
                torch.set_default_dtype(dtype)
                torch.random.set_rng_state(state[0])
                np.random.set_state(state[1])
