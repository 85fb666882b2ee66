"""Which submissions share code: a list for a person to look at.

copydetect reduces code to winnowed fingerprints that survive new names, comments and layout. What
the exercise gives, and what a fifth of the class writes, is nobody's own and does not count.
"""

from __future__ import annotations

import functools
import io
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
from copydetect import CodeFingerprint

import flowlib
from flowlib.course.exercise import SOLUTION, Exercise, without_region

ALIKE = 0.8  # the share of own code from which a pair is listed
TOKENS, WINDOW = 25, 1  # shorter matches are everybody's code
FEWEST = 8  # fingerprints of one's own: with fewer there is too little to compare
MOST = 50  # what more than this many students write is common, however large the class
MAX_PAIRS = 50
MOSTLY = 0.5  # the share of own code from which it counts as taken from flowlib


def compare(sources: dict[str, dict[str, str]], exercise: Exercise) -> list[tuple[str, str, float]]:
    """Pairs of students whose own code is alike: (one, other, share), most alike first.

    Args:
        sources: for each student the submitted code of each task.
        exercise: its given code is not counted.
    """
    given = _fingerprints("\n".join(without_region(task.source, SOLUTION) for task in exercise.tasks))
    prints = {student: _fingerprints("\n".join(code.values())) - given for student, code in sources.items()}
    spread = Counter(mark for marks in prints.values() for mark in marks)
    common = {mark for mark, count in spread.items() if count > max(5, min(len(prints) / 5, MOST))}
    own = {student: marks - common for student, marks in prints.items() if len(marks - common) >= FEWEST}
    holders = defaultdict(list)
    for student, marks in sorted(own.items()):
        for mark in marks:
            holders[mark].append(student)
    shared = Counter(pair for students in holders.values() for pair in combinations(students, 2))
    pairs = [(a, b, count / min(len(own[a]), len(own[b]))) for (a, b), count in shared.items()]
    return sorted((p for p in pairs if p[2] >= ALIKE), key=lambda p: (-p[2], p[0], p[1]))[:MAX_PAIRS]


def from_flowlib(sources: dict[str, str], exercise: Exercise) -> list[str]:
    """Of which tasks the code is mostly flowlib's own, in words.

    Args:
        sources: the submitted code of each task.
        exercise: its given code is not counted.
    """
    given = _fingerprints("\n".join(without_region(task.source, SOLUTION) for task in exercise.tasks))
    found = []
    for task, code in sources.items():
        own = _fingerprints(code) - given
        share = len(own & _of_flowlib()) / max(len(own), 1)
        if len(own) >= FEWEST and share >= MOSTLY:
            found.append(f"{task}: {share:.0%} of this code is flowlib's own source")
    return found


def warm_up() -> None:
    """Read flowlib, before the first submission is compared with it."""
    _of_flowlib()


@functools.cache
def _of_flowlib() -> frozenset[int]:
    files = sorted(Path(flowlib.__file__).parent.glob("*.py"))
    return frozenset().union(*(_fingerprints(path.read_text(encoding="utf-8")) for path in files))


def _fingerprints(code: str) -> set[int]:
    try:
        marks = CodeFingerprint("cell.py", TOKENS, WINDOW, fp=io.StringIO(code), language="python").hashes
    except Exception:  # copydetect's lexer on code that is none
        return set()
    return set(np.asarray(marks).tolist())
