"""Which submissions share code: a list for a person to look at.

copydetect reduces code to winnowed fingerprints that survive new names, comments and layout. What
the exercise gives, and what a fifth of the class writes, is nobody's own and does not count.
"""

from __future__ import annotations

import ast
import functools
import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from copydetect import CodeFingerprint

import flowlib
from flowlib.course.exercises.exercise import SOLUTION, Exercise, without_region

ALIKE = 0.8  # the share of own code from which a pair is listed
TOKENS, WINDOW = 25, 1  # shorter matches are everybody's code
FEWEST = 8  # fingerprints: with fewer there is too little to compare, or to have been copied
FEWEST_IN_TASK = 20  # in one task alone, where honest answers meet sooner
LONGEST = 20_000  # characters of a task's code: what is longer is not compared, for time's sake
ALL_TASKS = "all tasks together"
MOST = 50  # what more than this many students write is common, however large the class
MAX_PAIRS = 50
MOSTLY = 0.5  # the share of own code from which it counts as taken from flowlib


@dataclass(frozen=True)
class Pair:
    """Two students whose own code is alike in some tasks."""

    one: str
    other: str
    tasks: dict[str, float]  # grade_id, or ALL_TASKS -> the share of the own code that both have

    @property
    def share(self) -> float:
        return max(self.tasks.values())


def compare(sources: dict[str, dict[str, str]], exercise: Exercise) -> list[Pair]:
    """Pairs of students whose own code is alike, task by task and all in all; most alike first.

    Args:
        sources: for each student the submitted code of each task.
        exercise: its given code is not counted.
    """
    given = _given(exercise)
    prints = {
        student: {task: _fingerprints(code) - given for task, code in tasks.items()}
        for student, tasks in sources.items()
    }
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for task in (task.grade_id for task in exercise.tasks):
        marks = {student: tasks[task] for student, tasks in prints.items() if task in tasks}
        for pair, share in _alike(marks, FEWEST_IN_TASK).items():
            found[pair][task] = share
    whole = {student: set().union(*tasks.values()) for student, tasks in prints.items()}
    for pair, share in _alike(whole, FEWEST).items():
        found[pair][ALL_TASKS] = share
    pairs = [Pair(*pair, tasks) for pair, tasks in found.items()]
    return sorted(pairs, key=lambda p: (-p.share, -len(p.tasks), p.one, p.other))[:MAX_PAIRS]


def too_long(sources: dict[str, dict[str, str]]) -> list[str]:
    """Whose code is too long to be compared, in a task at least."""
    return [s for s, tasks in sources.items() if any(len(code) > LONGEST for code in tasks.values())]


def _alike(prints: dict[str, set[int]], fewest: int) -> dict[tuple[str, str], float]:
    """For each pair that is alike the share of its own code, which is what few others have."""
    spread = Counter(mark for marks in prints.values() for mark in marks)
    common = {mark for mark, count in spread.items() if count > max(5, min(len(prints) / 5, MOST))}
    own = {student: marks - common for student, marks in prints.items() if len(marks - common) >= fewest}
    holders = defaultdict(list)
    for student, marks in sorted(own.items()):
        for mark in marks:
            holders[mark].append(student)
    shared = Counter(pair for students in holders.values() for pair in combinations(students, 2))
    shares = {(a, b): count / min(len(own[a]), len(own[b])) for (a, b), count in shared.items()}
    return {pair: share for pair, share in shares.items() if share >= ALIKE}


def from_flowlib(sources: dict[str, str], exercise: Exercise) -> list[str]:
    """Of which tasks the code is mostly flowlib's own, in words.

    Args:
        sources: the submitted code of each task.
        exercise: its given code is not counted.
    """
    given = _given(exercise)
    found = []
    for task, code in sources.items():
        own = _fingerprints(code) - given
        taken = len(own & _of_flowlib())
        if taken >= FEWEST and (share := taken / len(own)) >= MOSTLY:
            found.append(f"{task}: {share:.0%} of this code is flowlib's own source")
    return found


def warm_up() -> None:
    """Read flowlib, before the first submission is compared with it."""
    _of_flowlib()


@functools.cache
def _of_flowlib() -> frozenset[int]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(flowlib.__file__).parent.glob("*.py"))]
    parts = [text[start : start + LONGEST] for text in texts for start in range(0, len(text), LONGEST - 1000)]
    return frozenset().union(*map(_fingerprints, parts)).difference(*map(_fingerprints, map(_tables, texts)))


def _tables(code: str) -> str:
    """The dictionaries of constants in code. To copydetect, to which all strings are one, they look alike."""
    found = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Dict))
    constant = (
        node for node in found if all(isinstance(v, ast.Constant) for v in (*node.keys, *node.values))
    )
    return "\n".join(ast.get_source_segment(code, node) or "" for node in constant)


def _given(exercise: Exercise) -> set[int]:
    return _fingerprints("\n".join(without_region(task.source, SOLUTION) for task in exercise.tasks))


def _fingerprints(code: str) -> set[int]:
    if len(code) > LONGEST:
        return set()
    try:
        marks = CodeFingerprint("cell.py", TOKENS, WINDOW, fp=io.StringIO(code), language="python").hashes
    except Exception:  # copydetect's lexer on code that is none
        return set()
    return set(np.asarray(marks).tolist())
