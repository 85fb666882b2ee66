"""Reading what a student handed in: safely, forgivingly, and with words for everything odd.

`collect` reads the files of a folder and follows no link. `repair` finds the exercise notebook
among them and puts its cells where the release has them. Neither runs any of it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from flowlib.course.exercises.exercise import Cell, Exercise, Role, defined_names, grade_id_of
from flowlib.course.folders import NOTEBOOK
from flowlib.course.grading import written

MAX_FILES = 200
MAX_DEPTH = 6
MAX_FILE_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 128 * 2**20
MAX_CELLS = 1000
MAX_SOURCE = 200_000  # characters of one cell
MAX_SOURCES = 2_000_000  # of all cells together
IGNORED = {".ipynb_checkpoints", "__pycache__", ".DS_Store", "__MACOSX", "timestamp.txt", ".git"}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Unreadable(Exception):
    """The submission cannot be graded as it is; the message tells the student why, in words."""


@dataclass
class Collected:
    """The regular files of a submission, and what was left out."""

    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def receipt(self) -> str:
        """A sha256 over names and contents: the same files give the same receipt."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(name.encode(errors="surrogateescape") + b"\0")
            digest.update(hashlib.sha256(self.files[name]).digest())
        return digest.hexdigest()


@dataclass
class Submission:
    """A submitted notebook after repair: the released one, with what the student wrote at its place."""

    cells: list[Cell]
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)  # files that a cell could import

    def sources(self, exercise: Exercise) -> dict[str, str]:
        """The submitted source of each task; of several cells for one task the last counts."""
        found = {cell.grade_id: cell.source for cell in self.cells if cell.role is Role.TASK}
        return {task.grade_id: found[task.grade_id] for task in exercise.tasks if task.grade_id in found}

    def code(self) -> dict[str, str]:
        """All code that was handed in, in the order in which it runs: name of a cell or file -> source."""
        found: dict[str, str] = {}
        for number, cell in enumerate(self.cells):
            if cell.kind == "code" and not cell.given:
                name = cell.grade_id if cell.grade_id and cell.grade_id not in found else f"cell {number}"
                found[name] = cell.source
        return found | self.modules


# ---------------------------------------------------------------------------- files


def collect(folder: str | Path) -> Collected:
    """Read a submission's regular files. Links, devices and the like are left out and reported."""
    collected = Collected()
    try:
        top = os.open(folder, _FOLDER)
    except OSError as error:
        odd = error.errno in (errno.ELOOP, errno.ENOTDIR)
        why = "is a link or no folder" if odd else f"could not be opened ({error.strerror})"
        collected.flags.append(f"the submission {why}: it was not read")
        return collected
    try:
        _walk(top, PurePosixPath(), collected, 0)
    finally:
        os.close(top)
    return collected


def collect_files(root: Path, files: dict[str, str], collected: Collected) -> None:
    """Read single files below a folder, and follow no link on the way to them.

    Args:
        files: for each name in the submission the path below `root`.
    """
    for name, path in files.items():
        if len(collected.files) >= MAX_FILES:
            say_too_many(collected)
            return
        *folders, last = PurePosixPath(path).parts
        opened = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]
        try:
            for folder in folders:
                opened.append(os.open(folder, _FOLDER, dir_fd=opened[-1]))
            if path.endswith("/"):  # an empty folder, or one that nobody may look into
                opened.append(os.open(last, _FOLDER, dir_fd=opened[-1]))
            else:
                _take(opened[-1], last, name, collected)
        except OSError as error:
            collected.flags.append(f"{_shown(path)} could not be read ({error.strerror})")
        finally:
            for descriptor in opened:
                os.close(descriptor)


def collect_file(path: str | Path) -> Collected:
    """A submission of one notebook file, for a student's own check."""
    return Collected(files={NOTEBOOK: Path(path).read_bytes()})


def _walk(folder: int, where: PurePosixPath, collected: Collected, depth: int) -> None:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        collected.flags.append(f"the folder {_shown(str(where))} could not be read ({error.strerror})")
        return
    for name in names:
        if name in IGNORED:
            continue
        if len(collected.files) >= MAX_FILES:
            say_too_many(collected)
            return
        try:
            _enter(folder, name, where, collected, depth)
        except OSError as error:  # it vanished, or nobody may read it
            collected.flags.append(f"{_shown(str(where / name))} could not be read ({error.strerror})")


def _enter(folder: int, name: str, where: PurePosixPath, collected: Collected, depth: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode) and depth < MAX_DEPTH:
        # O_NOFOLLOW again at each step: what was a folder a moment ago may be a link now.
        inner = os.open(name, _FOLDER, dir_fd=folder)
        try:
            _walk(inner, where / name, collected, depth + 1)
        finally:
            os.close(inner)
    elif stat.S_ISDIR(mode):
        collected.flags.append(f"{_shown(str(where / name))} is a folder nested too deep: it was not read")
    else:
        _take(folder, name, str(where / name), collected)


def _take(folder: int, name: str, path: str, collected: Collected) -> None:
    """Read what is a file; say of anything else what it is."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISREG(mode):
        _read(folder, name, path, collected)
    else:
        what = "link" if stat.S_ISLNK(mode) else "special file"
        collected.flags.append(f"{_shown(path)} is a {what}: it was not read")


def say_too_many(collected: Collected) -> None:
    """Flag, once, a submission of more files than are read."""
    words = f"more than {MAX_FILES} files; the rest was not read"
    if words not in collected.flags:
        collected.flags.append(words)


def _read(folder: int, name: str, path: str, collected: Collected) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        room = MAX_TOTAL_BYTES - sum(map(len, collected.files.values()))
        if not stat.S_ISREG(status.st_mode):
            collected.flags.append(f"{_shown(path)} is a special file: it was not read")
        elif status.st_size > min(MAX_FILE_BYTES, room):
            size, limit = status.st_size / 2**20, MAX_FILE_BYTES >> 20
            collected.notes.append(
                f"{_shown(path)} has {size:.0f} MB: it was not read (a file may have {limit} MB, "
                f"a submission {MAX_TOTAL_BYTES >> 20} MB; clear the outputs of large notebooks)"
            )
        else:
            collected.files[path] = file.read(MAX_FILE_BYTES)


def _shown(path: str) -> str:
    return repr(path[:100])


# ---------------------------------------------------------------------------- the notebook


def repair(collected: Collected, exercise: Exercise) -> Submission:
    """Find the notebook and bring its cells into shape.

    Raises:
        Unreadable: there is no notebook that can be graded.
    """
    notes, flags = list(collected.notes), list(collected.flags)
    raw = parse(collected.files[_choose(collected, exercise, notes, flags)], notes)
    modules = {
        name: content.decode("utf-8", "replace") if name.endswith(".py") else ""
        for name, content in collected.files.items()
        if name.endswith((".py", ".pyc", ".so", ".zip"))
    }
    cells = arrange(_cells(raw, exercise, notes, flags), exercise, notes)
    return Submission(cells, notes, flags, modules)


def arrange(cells: list[Cell], exercise: Exercise, notes: list[str]) -> list[Cell]:
    """The released notebook with the student's cells in it.

    Locked cells and tests stand where the release has them, whatever was moved, doubled or deleted;
    so do tasks. Every other cell follows the released cell that it followed in the submission.
    """
    following: dict[str, list[Cell]] = {"": []}
    place = ""
    for cell in cells:
        place = cell.grade_id or place
        if not cell.given:
            following.setdefault(place, []).append(cell)
    arranged = list(following[""])
    for released in [cell for cell in exercise.cells if cell.grade_id]:
        if released.given:
            arranged.append(released)
        arranged += following.get(released.grade_id, [])
    if [id(cell) for cell in arranged if not cell.given] != [id(cell) for cell in cells if not cell.given]:
        notes.append("cells had been moved; they ran in the order of the released notebook")
    return arranged


def _choose(collected: Collected, exercise: Exercise, notes: list[str], flags: list[str]) -> str:
    names = [name for name in collected.files if name.lower().endswith(".ipynb")]
    if NOTEBOOK in names:
        if len(names) > 1:
            notes.append(f"of {len(names)} notebooks, {NOTEBOOK} was graded")
        return NOTEBOOK
    if not names:
        have = ", ".join(_shown(name) for name in sorted(collected.files)[:5]) or "nothing"
        raise Unreadable(f"expected {NOTEBOOK}, found {have}: hand in the notebook itself")

    def fit(name: str) -> tuple[int, str]:
        try:
            cells = _cells(parse(collected.files[name], []), exercise, [], [])
        except Unreadable:
            return -1, name
        return len({cell.grade_id for cell in cells if cell.role is Role.TASK}), name

    best = max(names, key=fit) if len(names) > 1 else names[0]
    if len(names) > 1:
        flags.append(f"no {NOTEBOOK} but {len(names)} other notebooks: {_shown(best)} was graded")
    else:
        notes.append(f"the notebook is named {_shown(best)}, not {NOTEBOOK}; it was graded all the same")
    return best


def parse(content: bytes, notes: list[str]) -> dict:
    """A notebook from bytes, as a dict of nbformat 4 with a list of cells.

    Raises:
        Unreadable: the message says in words what is wrong.
    """
    words = _decode(content, notes)
    if not words.strip():
        raise Unreadable("the notebook is empty (0 bytes of text): save it again and hand it in again")
    if re.search(r"^(<{7} |={7}$|>{7} )", words, re.MULTILINE):
        raise Unreadable("the notebook holds merge markers (<<<<<<<) of git: resolve the conflict first")
    try:
        notebook = json.loads(words)
    except RecursionError:
        raise Unreadable("the notebook is nested too deep to be one") from None
    except ValueError as error:
        end = isinstance(error, json.JSONDecodeError) and error.pos >= len(words.rstrip()) - 1
        unfinished = end or (isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unterminated"))
        why = "it ends in the middle, as after a broken upload" if unfinished else f"it is no JSON: {error}"
        raise Unreadable(f"the notebook cannot be read: {why}") from None
    if not isinstance(notebook, dict):
        raise Unreadable("the file is JSON but no notebook")
    if notebook.get("nbformat") == 3 or ("worksheets" in notebook and "cells" not in notebook):
        notebook = _upgrade(notebook)
        notes.append("the notebook was in the old format 3; it was converted")
    elif isinstance(version := notebook.get("nbformat"), int) and version > 4:
        notes.append(f"the notebook says format {version}; it was read as format 4")
    if not isinstance(notebook.get("cells"), list):
        raise Unreadable("the file is JSON but no notebook: it has no list of cells")
    if len(notebook["cells"]) > MAX_CELLS:
        raise Unreadable(f"the notebook has {len(notebook['cells'])} cells; the limit is {MAX_CELLS}")
    return notebook


def _decode(content: bytes, notes: list[str]) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.append("the notebook was saved as UTF-16; it was converted")
        return content.decode("utf-16", errors="replace")
    if content.startswith(b"\xef\xbb\xbf"):
        notes.append("the notebook began with a byte-order mark; it was removed")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append("the notebook is not UTF-8; it was read as Windows text (cp1252)")
        return content.decode("cp1252", errors="replace")


def _upgrade(notebook: dict) -> dict:
    try:
        sheets = notebook["worksheets"]
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        return {
            "nbformat": 4,
            "cells": [
                {
                    "cell_type": "markdown" if cell["cell_type"] == "heading" else cell["cell_type"],
                    "source": cell.get("input", cell.get("source", "")),
                    "metadata": cell.get("metadata", {}),
                }
                for cell in cells
            ],
        }
    except (KeyError, TypeError, AttributeError):
        raise Unreadable("the notebook says format 3 but does not follow it") from None


def _cells(notebook: dict, exercise: Exercise, notes: list[str], flags: list[str]) -> list[Cell]:
    released = {cell.grade_id: cell for cell in exercise.cells if cell.grade_id}
    cells: list[Cell] = []
    room = MAX_SOURCES
    for raw in notebook["cells"]:
        cell = _clean(raw, released, notes)
        if cell is not None and len(cell.source) > room:
            notes.append(f"cells beyond {MAX_SOURCES:,} characters were left out")
        elif cell is not None:
            cells.append(cell)
            room -= len(cell.source)
    _find_unmarked(cells, exercise, notes)
    written.find(cells, exercise, notes, flags)
    _report(cells, exercise, notes)
    return cells


def _clean(raw: Any, released: dict[str, Cell], notes: list[str]) -> Cell | None:
    """Keep of a cell its kind, its text and which cell of the exercise it is; nothing else."""
    if not isinstance(raw, dict):
        return None
    kind, source = raw.get("cell_type"), raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or kind not in ("code", "markdown", "raw"):
        return None
    # Lone surrogates cannot be written to any file.
    source = source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(source) > MAX_SOURCE:
        notes.append(f"a cell of {len(source):,} characters was cut to {MAX_SOURCE:,}")
        source = source[:MAX_SOURCE]
    metadata = raw.get("metadata")
    if isinstance(metadata, dict) and metadata.get("tags"):
        notes.append("tags of cells were ignored")
    known = released.get(grade_id_of(raw))
    if known is None:
        return Cell(Role.OTHER, kind, source)
    if not known.given and kind != known.kind:
        notes.append(f"{known.grade_id} was turned into a {kind} cell; it was read as {known.kind}")
    return Cell(known.role, known.kind, source, known.grade_id)


def _find_unmarked(cells: list[Cell], exercise: Exercise, notes: list[str]) -> None:
    """Give a task its cell back when an editor has dropped the marks: the one that defines its names."""
    present = {cell.grade_id for cell in cells if cell.role is Role.TASK}
    for task in exercise.tasks:
        if task.grade_id in present or not task.names:
            continue
        public = {name for name in task.names if not name.startswith("_")}
        for cell in cells:
            if cell.role is Role.OTHER and cell.kind == "code" and public & set(defined_names(cell.source)):
                cell.role, cell.grade_id = Role.TASK, task.grade_id
                notes.append(f"{task.grade_id} had lost its mark; its cell was found by what it defines")
                break


def _report(cells: list[Cell], exercise: Exercise, notes: list[str]) -> None:
    counts: dict[str, int] = {}
    for cell in cells:
        if cell.grade_id:
            counts[cell.grade_id] = counts.get(cell.grade_id, 0) + 1
    for grade_id, count in counts.items():
        if count > 1:
            notes.append(f"{grade_id} is there {count} times; for a task the last definition counts")
    for task in exercise.tasks:
        missing = [test.grade_id for test in task.tests if test.grade_id not in counts]
        if missing:
            notes.append(f"deleted test cells were put back: {', '.join(missing)}")
    for index, note in enumerate(notes):
        if note in notes[:index]:
            notes[index] = ""
    notes[:] = [note for note in notes if note]
