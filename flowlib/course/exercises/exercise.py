"""An exercise notebook taken apart.

Everything that judges an answer (the tests of this repository, the grader) uses these pieces,
so they cannot disagree about what a task is.

    exercise = read("solutions/01_change_of_variables/exercises.ipynb")
    exercise.task("task1").tests              # the cells that grade it
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
MARK_SCHEME = ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ===")


# ---------------------------------------------------------------------------- the parts


class Role(StrEnum):
    """What a cell is there for."""

    TASK = "task"  # code that a student writes
    TEST = "test"  # grades a task
    WRITTEN = "written"  # words that a student writes
    LOCKED = "locked"  # given code or words
    OTHER = "other"  # no part of the exercise: explanations, examples, what a student added


@dataclass
class Cell:
    """A cell of a notebook.

    `kind` is code, markdown or raw, `points` None where nothing is graded, and `raw` the cell as the file
    holds it; {} for a cell of a submission, of which nothing else is trusted.
    """

    role: Role
    kind: str
    source: str
    grade_id: str = ""
    points: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> str:
        """What Jupyter calls it, or '?'."""
        return str(self.raw.get("id", "?"))

    @property
    def given(self) -> bool:
        """The exercise's own: whatever the student made of it, it is run as released."""
        return self.role in (Role.LOCKED, Role.TEST)


@dataclass(frozen=True)
class TestCell:
    """A locked cell that grades one task."""

    __test__ = False  # not a test class of pytest

    grade_id: str
    source: str
    points: float

    @property
    def draws(self) -> bool:
        """It tries answers on numbers that depend on the class."""
        return "hidden_seed(" in self.source or "inputs.generator(" in self.source


@dataclass(frozen=True)
class Task:
    """A coding task: the cell that a student writes and the cells that grade it."""

    grade_id: str
    source: str
    tests: tuple[TestCell, ...]

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)

    @property
    def names(self) -> tuple[str, ...]:
        """What the cell defines at its top level: functions, classes and variables."""
        return defined_names(self.source)


@dataclass(frozen=True)
class WrittenTask:
    """What a person grades: words, or a coding task's own cell where it carries points."""

    grade_id: str
    source: str
    points: float


@dataclass(frozen=True)
class Exercise:
    """An exercise notebook: its setup cells, its coding tasks and its written tasks, in order."""

    path: Path
    setup: tuple[str, ...]
    tasks: tuple[Task, ...]
    written: tuple[WrittenTask, ...]
    cells: tuple[Cell, ...] = field(repr=False, compare=False)
    notebook: dict = field(repr=False, compare=False)

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks) + sum(task.points for task in self.written)

    def task(self, grade_id: str) -> Task:
        for task in self.tasks:
            if task.grade_id == grade_id:
                return task
        have = ", ".join(task.grade_id for task in self.tasks) or "none"
        raise KeyError(f"{self.path} has no coding task {grade_id!r}; it has: {have}")


# ---------------------------------------------------------------------------- reading


def read(path: str | Path) -> Exercise:
    """Read an exercise notebook, a solution or a released one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no notebook, or a test belongs to no task; the message says which cell.
    """
    path = Path(path)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return parse(notebook, path)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a Jupyter notebook: {error}") from error


def parse(notebook: dict, path: Path) -> Exercise:
    """An exercise from the content of its notebook; see `read`."""
    cells = tuple(read_cells(notebook))
    code = [cell for cell in cells if cell.kind == "code"]
    tests: dict[str, list[TestCell]] = {}
    for cell in code:
        if cell.role is Role.TASK:
            tests.setdefault(cell.grade_id, [])
        elif cell.role is Role.TEST:
            task = task_of(cell.grade_id)
            if task not in tests:
                raise ValueError(
                    f"{path}: test cell {cell.grade_id!r} comes before its solution cell {task!r}"
                )
            tests[task].append(TestCell(cell.grade_id, cell.source, cell.points or 0))
    sources = {cell.grade_id: cell.source for cell in code if cell.role is Role.TASK}
    return Exercise(
        path=path,
        setup=tuple(cell.source for cell in code if cell.role is Role.LOCKED),
        tasks=tuple(Task(name, source, tuple(tests[name])) for name, source in sources.items()),
        written=tuple(
            WrittenTask(cell.grade_id, cell.source, cell.points)
            for cell in cells
            if cell.role in (Role.TASK, Role.WRITTEN) and cell.points is not None
        ),
        cells=cells,
        notebook=notebook,
    )


def read_cells(notebook: Mapping[str, Any]) -> Iterator[Cell]:
    """The cells of one of our own notebooks, in order.

    Raises:
        KeyError: a cell lacks what it must have.
    """
    for raw in notebook["cells"]:
        kind, source, about = raw["cell_type"], text(raw), _marks(raw)
        if not about:
            yield Cell(Role.OTHER, kind, source, raw=raw)
            continue
        if about.get("solution"):
            role = Role.TASK if kind == "code" else Role.WRITTEN
        else:
            role = Role.TEST if about.get("grade") else Role.LOCKED
        points = about["points"] if about.get("grade") else None
        yield Cell(role, kind, source, about["grade_id"], points, raw)


def grade_id_of(raw: Mapping[str, Any]) -> str:
    """The name that marks a cell, as any notebook holds it; '' where it has none."""
    grade_id = _marks(raw).get("grade_id")
    return grade_id if isinstance(grade_id, str) else ""


def _marks(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What nbgrader's metadata say of a cell; in a stranger's notebook anything may stand there."""
    metadata = raw.get("metadata")
    about = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    return about if isinstance(about, Mapping) else {}


def text(cell: Mapping[str, Any]) -> str:
    """The source of a notebook cell; files keep it as one string or as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def task_of(grade_id: str) -> str:
    """The task that a test cell grades: `task3_test_b` -> `task3`."""
    found = re.match(r"(.+?)_test(_|$)", grade_id)
    if not found:
        raise ValueError(f"test cell {grade_id!r} must be named <task>_test or <task>_test_<letter>")
    return found.group(1)


def defined_names(source: str) -> tuple[str, ...]:
    """Names that a cell binds at its top level by def, class or assignment; () if it is no Python."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names: dict[str, None] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names.update((name, None) for name in _bound(target))
    return tuple(names)


def _bound(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _bound(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _bound(item)


def without_region(source: str, markers: tuple[str, str]) -> str:
    """Drop the lines between two markers, and the markers."""
    kept, inside = [], False
    for line in source.split("\n"):
        if markers[0] in line:
            inside = True
        elif markers[1] in line:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def public(source: str) -> str:
    """A cell without what students must not see: hidden tests, marking guides, solutions."""
    for markers in (HIDDEN, MARK_SCHEME, SOLUTION):
        source = without_region(source, markers)
    return source.strip("\n")


def given_code(exercise: Exercise) -> tuple[str, ...]:
    """The code that students get: all cells but the tasks', and of those the parts with nothing to write."""
    found: list[str] = []
    for cell in exercise.cells:
        if cell.kind == "code":
            found += _untouched(cell.source) if cell.role is Role.TASK else [public(cell.source)]
    return tuple(found)


def _untouched(source: str) -> list[str]:
    """The statements of a task's cell that are the same in the solution and in what is handed out."""
    try:
        whole = {ast.dump(node) for node in ast.parse(source).body}
        return [ast.unparse(node) for node in ast.parse(public(source)).body if ast.dump(node) in whole]
    except SyntaxError:  # only the gap makes it Python
        return []
