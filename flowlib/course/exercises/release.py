"""Make what students get from what instructors hold.

`solutions/NN/exercises.ipynb` becomes `lessons/NN/exercises.ipynb` through nbgrader's
generate_assignment: solutions give way to stubs, hidden tests and marking guides go, outputs are
cleared. The same source always gives the same bytes, so a check can compare them.

A released notebook says which cells it was released with. So work that somebody has typed into it is
seen, and not written over.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbgrader.preprocessors import ClearSolutions

from flowlib.course.exercises import exercise
from flowlib.course.exercises.released import fingerprint, is_edited
from flowlib.course.folders import NOTEBOOK, CourseError, lesson_names

STUDENT_FILES = {"lesson.ipynb", "demo.ipynb", NOTEBOOK}
# Copies of edited ones, which git ignores.
KEPT = re.compile(r"exercises\.\d{4}-\d\d-\d\dT\d{6}(-\d+)?\.ipynb")


class NamedStubs(ClearSolutions):
    """nbgrader's ClearSolutions with stubs that say what is still to do.

    A region inside `def forward` of the cell task2 becomes
    `raise NotImplementedError("Task 2: write forward")`.
    """

    mark = "raise NotImplementedError('stub')"
    code_stub: dict[str, str]  # nbgrader's own: language -> stub

    def preprocess_cell(self, cell, resources, cell_index):
        names = exercise.defined_names(cell.source)
        self.code_stub = {**self.code_stub, "python": self.mark}
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.cell_type == "code" and self.mark in cell.source:
            task = exercise.grade_id_of(cell).replace("task", "Task ")
            cell.source = self._name_stubs(cell.source, task, names)
        return cell, resources

    def _name_stubs(self, source: str, task: str, names: tuple[str, ...]) -> str:
        scopes: list[tuple[int, str]] = []  # (indent, name) of the definitions around this line
        lines = []
        for line in source.split("\n"):
            indent = len(line) - len(line.lstrip())
            if line.strip():
                scopes = [scope for scope in scopes if scope[0] < indent]
            if found := re.match(r"\s*(?:def|class)\s+(\w+)", line):
                scopes.append((indent, found.group(1)))
            if self.mark in line:
                what = ".".join(name for _, name in scopes) or ", ".join(names) or "your answer"
                line = " " * indent + f'raise NotImplementedError("{task}: write {what}")'
            lines.append(line)
        return "\n".join(lines)


@dataclass
class Released:
    """What became of one lesson's exercises."""

    lesson: str
    state: str  # "unchanged", "written", "out of step", "edited" by somebody, "held back" because of leaks
    leaks: list[str] = field(default_factory=list)
    copy: Path | None = None  # where an edited notebook was kept


def release(
    root: Path, lessons: list[str] | None = None, *, check: bool = False, force: bool = False
) -> list[Released]:
    """Bring the released exercises in step with the solutions, or only look whether they are.

    Args:
        root: the folder of the course.
        lessons: full names of lessons; None takes all that have exercises.
        check: compare only, write nothing.
        force: release over an edited notebook too, and keep a dated copy of it.

    Raises:
        CourseError: nbgrader refuses a notebook; the message is nbgrader's.
    """
    outcomes = []
    for lesson in releasable(root) if lessons is None else lessons:
        source = root / "solutions" / lesson / NOTEBOOK
        if not source.is_file():
            raise CourseError(f"{source} is missing, so there is nothing to release for {lesson}.")
        made = student_version(root, lesson)
        target = root / "lessons" / lesson / NOTEBOOK
        leaks = find_leaks(source.read_text(encoding="utf-8"), made.decode()) + _stray_files(target.parent)
        copy = None
        if target.is_file() and target.read_bytes() == made:
            state = "unchanged"
        elif is_edited(target) and not (force and not check):
            state = "edited"
        elif check:
            state = "out of step"
        elif leaks:
            state = "held back"
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = _keep(target) if is_edited(target) else None
            part = target.with_suffix(".part")
            part.write_bytes(made)
            part.replace(target)
            state = "written"
        outcomes.append(Released(lesson, state, leaks, copy))
    return outcomes


def _keep(edited: Path) -> Path:
    """Copy an edited notebook to a name that carries the date."""
    stamp = f"{datetime.now():%Y-%m-%dT%H%M%S}"
    copy = edited.with_name(f"{edited.stem}.{stamp}.ipynb")
    number = 1
    while copy.exists():
        number += 1
        copy = edited.with_name(f"{edited.stem}.{stamp}-{number}.ipynb")
    shutil.copy2(edited, copy)
    return copy


def releasable(root: Path) -> list[str]:
    """The lessons that have exercises."""
    return [name for name in lesson_names(root) if (root / "solutions" / name / NOTEBOOK).is_file()]


def student_version(root: Path, lesson: str) -> bytes:
    """The released notebook of a lesson, made by nbgrader in a folder of its own."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    build = root / ".build"
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="release-", dir=build))
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.release_directory = str(folder.relative_to(root))
    config.CourseDirectory.assignment_id = lesson
    config.CourseDirectory.notebook_id = Path(NOTEBOOK).stem
    config.GenerateAssignment.no_database = True
    config.SaveCells.enabled = False
    log, handler = logging.getLogger("flowlib.release"), _Remember()
    log.setLevel(logging.ERROR)
    log.propagate = False
    log.addHandler(handler)
    try:
        courses = CourseDirectory(config=config)
        converter = GenerateAssignment(coursedir=courses, config=config, log=log)
        converter.start()
        return _signed((folder / lesson / NOTEBOOK).read_text(encoding="utf-8"))
    except NbGraderException as error:
        said = "\n".join(handler.said) or str(error)
        raise CourseError(f"nbgrader could not release {lesson}:\n{said}") from error
    finally:
        log.removeHandler(handler)
        shutil.rmtree(folder, ignore_errors=True)


def _signed(released: str) -> bytes:
    """A notebook that says which cells it was released with, in nbformat's way of writing."""
    notebook = json.loads(released)
    notebook["metadata"]["flowcourse"] = {"released": fingerprint(notebook)}
    return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def find_leaks(source: str, released: str) -> list[str]:
    """What a released notebook gives away: markers, lines of solutions or hidden tests, outputs."""
    leaks = []
    cells = list(exercise.read_cells(json.loads(released)))
    public = "\n".join(cell.source for cell in cells)
    for marker in (*exercise.SOLUTION, *exercise.HIDDEN, *exercise.MARK_SCHEME):
        if marker.strip("#= ") in released:
            leaks.append(f"it holds the marker {marker!r}")
    for cell in cells:
        if cell.kind == "code" and (cell.raw["outputs"] or cell.raw["execution_count"] is not None):
            leaks.append(f"cell {cell.id} keeps its output")
    lines = {line.strip() for line in public.split("\n")}
    for cell in exercise.read_cells(json.loads(source)):
        for line in _secret_lines(cell.source):
            if line in lines:
                leaks.append(f"cell {cell.grade_id or '?'}: this secret line stands in it: {line}")
    return leaks


def _secret_lines(content: str) -> list[str]:
    """Telling lines of a cell that students must not see.

    Short lines, and those that open a block, are common to many programs.
    """
    secret: set[str] = set()
    for markers in (exercise.SOLUTION, exercise.HIDDEN, exercise.MARK_SCHEME):
        bare = markers[0].strip("#= "), markers[1].strip("#= ")
        kept = {line.strip() for line in exercise.without_region(content, bare).split("\n")}
        secret |= {line.strip() for line in content.split("\n")} - kept
    return sorted(
        line
        for line in secret
        if len(line) >= 30 and not line.endswith(":") and "BEGIN " not in line and "END " not in line
    )


def _stray_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    stray = sorted(
        p.name
        for p in folder.iterdir()
        if p.name not in STUDENT_FILES and not p.name.startswith(".") and not KEPT.fullmatch(p.name)
    )
    return [f"the folder {folder.name} holds a stray file: {name}" for name in stray]


class _Remember(logging.Handler):
    def __init__(self):
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record):
        self.said.append(record.getMessage())
