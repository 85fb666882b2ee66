"""What is known of one submission: the one typed thing that travels from the judge to every table and page.

An `Outcome` says what became of one test, a `Verdict` what the judge says of a submission, and a `Record`
whose that verdict is and how it came about: one line of the journal. States and sums exist here and
nowhere else. `to_json` and `from_json` take all three across processes and into files.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from flowlib.course.exercises.exercise import Exercise, Task


class Status(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    LOST = "kernel lost"
    MISSING = "missing"
    TAMPERING = "tampering suspected"
    NOT_GRADED = "not graded"


class State(StrEnum):
    """What became of a submission: only a graded one needs no person."""

    GRADED = "graded"
    FLAGGED = "flagged"
    FAILED = "failed"


@dataclass
class Outcome:
    """What became of one test cell."""

    status: Status
    score: float
    points: float  # that it could give
    message: str
    seconds: float = 0.0
    undefined: bool = False  # it failed because a name did not exist
    doubts: list[str] = field(default_factory=list)  # what a person should see before these points count

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED


def not_graded(exercise: Exercise, message: str) -> dict[str, Outcome]:
    """An outcome for each test of a submission that could not be tried."""
    return {
        test.grade_id: Outcome(Status.NOT_GRADED, 0.0, test.points, message)
        for task in exercise.tasks
        for test in task.tests
    }


@dataclass(kw_only=True)
class Verdict:
    """All that the judge says of one submission."""

    outcome: State
    why: list[str]  # why a person should look, or why it failed
    notes: list[str]  # what was repaired
    tests: dict[str, Outcome]  # by grade_id
    sources: dict[str, str]  # submitted code of each task
    unanswered: list[str]  # written tasks left as they were
    receipt: str  # of the files
    seconds: float

    @classmethod
    def untried(
        cls, outcome: State, exercise: Exercise, why: list[str], notes: list[str], receipt: str = ""
    ) -> Verdict:
        """Of a submission whose tests did not run; the last of `why` says of each test why not."""
        return cls(
            outcome=outcome,
            why=why,
            notes=notes,
            tests=not_graded(exercise, why[-1]),
            sources={},
            unanswered=[],
            receipt=receipt,
            seconds=0.0,
        )

    def points(self, task: Task) -> float:
        """What the tests of a task gave."""
        return sum(self.tests[test.grade_id].score for test in task.tests)

    @property
    def total(self) -> float:
        """What all tests gave."""
        return sum(test.score for test in self.tests.values())

    @property
    def most(self) -> float:
        """What all tests could have given."""
        return sum(test.points for test in self.tests.values())

    @property
    def needs_person(self) -> bool:
        return self.outcome is not State.GRADED

    def comment(self, task: Task) -> str | None:
        """For the gradebook: each test of a task that did not pass, and why; None if all did."""
        tests = [(test.grade_id, self.tests[test.grade_id]) for test in task.tests]
        lines = [f"{name}: {test.status}. {test.message}".strip() for name, test in tests if not test.passed]
        return "\n".join(lines) or None

    def flag(self, why: str) -> None:
        """Ask a person to look."""
        self.outcome = State.FLAGGED
        self.why.append(why)


@dataclass(kw_only=True)
class Record(Verdict):
    """A verdict, whose it is and how it came about: one line of the journal.

    What has a default was not written by every version of the course.
    """

    student: str
    assignment: str
    fingerprint: str  # of the submission as it was found
    tests_hash: str  # of the tests that graded
    isolated: bool  # False: without a sandbox
    comments: dict[str, str | None]  # for each task what a student should read of its tests
    submitted: float | None = None  # when it was handed in, if that is known
    key: str | None = None  # the class key
    seed: int | None = None
    limits: dict[str, float] = field(default_factory=dict)  # by the names of `walls.Limits`
    graded: str = ""  # when, in UTC
    machine: str = ""
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # of packages
    origin: list[str] = field(default_factory=list)  # how the student was named in the class
    trace: str = ""  # where the grader itself failed
    tries: int = 0  # how often it did
    retry: bool = False  # the next run tries again

    def completed(self, exercise: Exercise) -> Record:
        """With an outcome for each test, also for one that is newer than this record."""
        new = not_graded(exercise, "this test is newer than the grading of this submission")
        return replace(self, tests=new | self.tests)


# ---------------------------------------------------------------------------- JSON

T = TypeVar("T")


def to_json(what: Any) -> dict[str, Any]:
    """A dataclass as dicts, lists, strings and numbers."""
    return asdict(what)


def from_json(kind: type[T], data: Any) -> T:
    """What `to_json` was given, checked: the data may be damaged, or another version's.

    Names that this version does not know are left out.

    Raises:
        ValueError: a field is missing or holds something else than it should.
    """
    if not isinstance(data, dict):
        raise ValueError(f"a {kind.__name__} is a dict, not {data!r:.50}")
    types = _types(kind)  # type: ignore[arg-type]  # classes can be hashed
    try:
        return kind(**{name: _read(types[name], data[name]) for name in types if name in data})
    except TypeError as error:  # a field without a default is missing
        raise ValueError(str(error)) from error


@functools.cache
def _types(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {part.name: hints[part.name] for part in fields(kind)}


def _read(kind: Any, value: Any) -> Any:
    """A value as the type that a field declares."""
    outer, inner = get_origin(kind), get_args(kind)
    if outer is UnionType:  # of something and None
        return None if value is None else _read(inner[0], value)
    if outer is list and isinstance(value, list):
        return [_read(inner[0], item) for item in value]
    if outer is dict and isinstance(value, dict):
        return {_read(inner[0], key): _read(inner[1], item) for key, item in value.items()}
    return _read_one(outer or kind, value)


def _read_one(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return from_json(kind, value)  # type: ignore[arg-type]
    if issubclass(kind, StrEnum):
        return kind(value)
    if isinstance(value, int | float if kind is float else kind):  # JSON writes 2.0 as 2 too
        return value
    raise ValueError(f"expected {kind.__name__}, got {value!r:.50}")
