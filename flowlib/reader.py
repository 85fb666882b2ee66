"""What a lesson asks of its reader: a guess before a figure, a few lines of code, and the answer at once.

height = predict("How high is the density of x?", "per unit of x", guess=None)
height.compare(0.5)                       # you said 0.1; measured 0.5 per unit of x

with your_turn():                         # below a function that is the reader's to write
    checks.check_normalized(density, 0, 60)
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from numbers import Real
from types import TracebackType
from typing import Any

from torch import Tensor

from flowlib.cures import running_shell, show_cure
from flowlib.suspects import LawBroken, short

__all__ = ["Prediction", "pair", "predict", "short_errors", "your_turn"]


# What Python says of a reader's slip -> the same in words.
_PLAIN = {"math domain error": "a negative number has no logarithm and no root, and 0 no logarithm"}


class Prediction:
    """A question and the reader's guess, waiting for what is measured. `predict` makes it.

    Example:
        >>> Prediction("Which way is slower?", ["scoring", "sampling"], "scoring").compare("sampling")
        Which way is slower?
        you said scoring; it is sampling
    """

    def __init__(self, question: str, kind: str | Sequence[str], guess: float | str | None):
        self.question = question
        self.choices = None if isinstance(kind, str) else list(kind)
        self.unit = kind if isinstance(kind, str) else ""
        self.guess = guess
        if guess is None:
            return
        if self.choices is not None and guess not in self.choices:
            raise ValueError(
                f"guess must be one of {', '.join(map(repr, self.choices))}, or None; got {guess!r}"
            )
        if self.choices is None and (isinstance(guess, bool) or not isinstance(guess, Real)):
            raise TypeError(
                f"guess must be a number, {self._with_unit('such as 0.3')}, or None; got {guess!r}"
            )

    def compare(self, measured: float | str, digits: int = 2) -> None:
        """Print what was measured, beside the guess if there is one, below the question.

        JupyterLab shows the first line of what a cell printed even where it is folded: call this before
        other prints.

        Args:
            measured: a number (anything that float() takes), or the right one of the choices.
            digits: significant digits of the number.
        """
        if self.choices is None:
            measured = _rounded(float(measured), digits)
            found = f"measured {self._with_unit(measured)}"
        elif measured in self.choices:
            found = f"it is {measured}"
        else:
            raise ValueError(f"measured {measured!r} is none of the choices {self.choices}")
        print(self.question)
        if self.guess is None:
            print(f"{found} (you made no guess)")
        elif self._said() == measured:
            print(f"you said {self._said()}: right")
        else:
            print(f"you said {self._said()}; {found}")

    def _said(self) -> str:
        return self.guess if isinstance(self.guess, str) else f"{self.guess:g}"

    def _with_unit(self, number: str) -> str:
        return f"{number} {self.unit}".rstrip()


def predict(question: str, kind: str | Sequence[str] = "", *, guess: float | str | None = None) -> Prediction:
    """Take a guess before the answer is shown; without one everything runs all the same.

    Args:
        question: what to guess, in one sentence.
        kind: the unit of the number asked for, or the answers to choose from.
        guess: the reader's number or choice.

    Returns:
        The prediction; its `compare(measured)` sets the guess beside the answer.

    Raises:
        TypeError, ValueError: the guess is no number, or none of the choices.

    Example:
        >>> cost = predict("How many times slower is sampling?", "times", guess=3)
        you say 3 times
        >>> cost.compare(24)
        How many times slower is sampling?
        you said 3; measured 24 times
    """
    prediction = Prediction(question, kind, guess)
    if guess is None:
        print("your guess: write it in place of None and run this cell again, or go on without")
    else:
        print(f"you say {prediction._with_unit(prediction._said())}")
    return prediction


class your_turn:  # noqa: N801  (read as a statement: with your_turn():)
    """Try what the reader wrote, say in one line what came of it, and let the lesson go on whatever it was.

    An answer is not yet written while it raises NotImplementedError or is None; it is wrong where a check
    below raises; else it is right.

    Args:
        answers: values that the reader is to give, None until then.
        cure: the equation to read again after a wrong answer, "2.3"; by default the message decides.

    Example:
        >>> slope = None  # yours: the slope of x = 2z + 1
        >>> with your_turn(slope):
        ...     assert slope == 2, "how much longer is the interval?"
        yours to write: then run this cell again
    """

    def __init__(self, *answers: object, cure: str | None = None):
        self.cure = cure
        self.missing = any(answer is None for answer in answers)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self.missing or isinstance(error, NotImplementedError):
            words = str(error) if isinstance(error, NotImplementedError) and str(error) else ""
            print(f"yours to write: {words or 'then run this cell again'}")
        elif error is None:
            print("right")
        elif isinstance(error, AssertionError):
            print(f"not yet: {error}" if str(error) else "not yet")
            show_cure(str(error), self.cure)
        elif isinstance(error, Exception):
            line = traceback.extract_tb(trace)[-1]
            said = _PLAIN.get(str(error), f"{type(error).__name__}: {error}")
            print(f"not yet: {said} (at `{line.line}`)")
        return error is None or isinstance(error, Exception)


def pair(answer: Any, what: str) -> tuple[Any, Any]:
    """The two things that a reader's function handed back: in a tuple, a list or one stacked tensor.

    Args:
        answer: what came.
        what: what was asked for, as a last line would name it: "x, log_det".

    Raises:
        LawBroken: nothing came, or not two things.

    Example:
        >>> pair([1.0, 2.0], "x, log_det")
        (1.0, 2.0)
    """
    if answer is None:
        raise LawBroken(f"the function returns nothing: its last line says return {what}")
    many = isinstance(answer, tuple | list) or (isinstance(answer, Tensor) and answer.dim() > 0)
    if not many or len(answer) != 2 or any(part is None for part in answer):
        raise LawBroken(f"hand back two things: {what}")
    first, second = answer
    return first, second


def short_errors() -> None:
    """In a notebook: a failed assert shows what it says and its line, without the frames below it.

    Anywhere else it does nothing. `LawBroken` shows itself in this way without being asked.
    """
    shell = running_shell()
    if shell is not None:
        shell.set_custom_exc((AssertionError, NotImplementedError), _show_short)


def _show_short(
    shell: Any, kind: type[BaseException], error: Any, trace: TracebackType, tb_offset: int | None = None
) -> None:
    if not isinstance(error, LawBroken):  # which does so itself
        error._render_traceback_ = lambda: short(error)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _rounded(number: float, digits: int) -> str:
    """Significant digits as people write them: 0.5, 24, 1,200, never 1.2e+03."""
    return f"{float(f'{number:.{digits}g}'):,.10g}"
