"""Do the numbers that a lesson prints on a GPU agree with those that were saved on a CPU?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
# Times and memory belong to the machine.
OF_THE_MACHINE = re.compile(
    r"\b(ms|µs|s|secs?|(milli)?seconds?|minutes?|times?|faster|slower|kB|KiB|MB|MiB|GiB)\b", re.IGNORECASE
)
RELATIVE = 0.05
ROUNDING = 1e-4  # below this a number is a rounding error, which differs from machine to machine


@dataclass
class Difference:
    """A number, or a whole line, that is not what was saved. `line` is what was printed here."""

    saved: str
    here: str
    line: str

    def __str__(self) -> str:
        return f"saved {self.saved}, here {self.here}" + (f"   in: {self.line}" if self.line else "")


def differences(saved: str, here: str) -> list[Difference]:
    """What differs between two texts: numbers by more than 5 %, and lines that only one of them has.

    Lines that name times or memory are left out. A number may also differ by one unit of its last printed
    digit, as 0.01 and 0.02 do.
    """
    before, after = _lines(saved), _lines(here)
    same = SequenceMatcher(None, [_words(x) for x in before], [_words(x) for x in after], autojunk=False)
    found = []
    for kind, i, j, k, l in same.get_opcodes():  # noqa: E741
        if kind == "equal":
            for old, new in zip(before[i:j], after[k:l], strict=True):
                numbers = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
                found += [Difference(a, b, new.strip()) for a, b in numbers if not _agree(a, b)]
        else:
            found += [
                Difference(repr(old.strip()), repr(new.strip()), "")
                for old, new in zip_longest(before[i:j], after[k:l], fillvalue="")
            ]
    return found


def _lines(text: str) -> list[str]:
    """The lines that say something about the lesson: those of the machine, and its columns, left out."""
    # The device in a printed tensor holds a number, but measures nothing.
    text = re.sub(r",?\s*device='[^']*'", "", text)
    kept, columns = [], set()
    for line in text.splitlines():
        units = {unit.end() for unit in OF_THE_MACHINE.finditer(line)}
        if units:
            columns = units if not NUMBER.search(line) else set()  # a table's head, or a time
        elif line.strip():
            kept.append(_without(line, columns))
    return kept


def _without(line: str, columns: set[int]) -> str:
    """The line without the numbers that end where a column of times does, or beside it."""
    beside = {end + step for end in columns for step in (-1, 0, 1)}
    return NUMBER.sub(lambda number: "" if number.end() in beside else number[0], line)


def _words(line: str) -> str:
    """The line without its numbers and spaces: what must be equal for two lines to be compared."""
    return "".join(NUMBER.sub("#", line).split())


def _agree(saved: str, here: str) -> bool:
    a, b = _value(saved), _value(here)
    if max(abs(a), abs(b)) < ROUNDING:
        return True
    return abs(a - b) <= max(RELATIVE * abs(a), 1.01 * _last_digit(saved))


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _last_digit(text: str) -> float:
    """One unit of the last digit printed: 0.01 for 2.09."""
    digits, _, exponent = text.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
