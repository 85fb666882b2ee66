"""Who handed in what: nbgrader's folders, or the zip file of an LMS.

submitted/<student>/<assignment>/exercises.ipynb          nbgrader, also in one zip
lastfirst_123_456_exercises.ipynb                         Canvas, in one zip
First Last_123_assignsubmission_file_/exercises.ipynb     Moodle, in one zip
"""

from __future__ import annotations

import csv
import re
import stat
import zipfile
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from flowlib.course.grading import preflight
from flowlib.course.grading.preflight import Collected
from flowlib.course.house import CourseError

# Of a path: the name, the number that the LMS gave it, the file.
MOODLE = re.compile(r"(?:.*?/)?([^/]+?)(?:_(\d+))?_assignsubmission_[^/]*/(.+)", re.DOTALL)
CANVAS = re.compile(r"(.+?)_(?:LATE_)?(\d+)_\d+_(.+)", re.DOTALL)


def read_class(source: Path, assignment: str) -> dict[str, Callable[[], Collected]]:
    """For each student a function that reads the submission, in the order of their names.

    Raises:
        CourseError: there is nothing to grade at `source`; the message says what was expected.
    """
    if source.is_file() and zipfile.is_zipfile(source):
        found = _from_zip(source, assignment)
    elif source.is_dir():
        found = _from_folders(source, assignment)
    else:
        raise CourseError(f"{source} is no folder of submissions and no zip file.")
    if not found:
        raise CourseError(
            f"{source} holds no submission to {assignment}. Expected: "
            f"{source}/<student>/{assignment}/exercises.ipynb, a zip of it, or the zip file of an LMS."
        )
    return dict(sorted(found.items()))


def read_times(path: Path) -> dict[str, float]:
    """When each student handed in, from a table that the collector wrote: student,time (ISO 8601, UTC).

    Raises:
        CourseError: a line cannot be read.
    """
    times = {}
    with open(path, newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or row[0].strip().lower() in ("student", "student_id"):
                continue
            try:
                stamp = datetime.fromisoformat(row[1].strip())
            except (IndexError, ValueError) as error:
                raise CourseError(f"{path}, line {number}: expected student,time; got {row}") from error
            times[row[0].strip()] = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    return times


def _from_folders(source: Path, assignment: str) -> dict[str, Callable[[], Collected]]:
    found = {}
    for folder in source.iterdir():
        if folder.name.startswith("."):
            continue
        if folder.is_symlink():
            found[student_name(folder.name, found)] = _linked
        elif folder.is_dir() and ((folder / assignment).is_symlink() or (folder / assignment).exists()):
            found[student_name(folder.name, found)] = _reader(folder / assignment)
    return found


def student_name(name: str, taken: Collection[str] = ()) -> str:
    """A name that can be a folder, a key of a database and a cell of a table: strangers choose names too."""
    name = re.sub(r"[^\w .,@+'()-]", "_", name.encode("utf-8", "replace").decode())[:100].strip()
    name = re.sub(r"^[.]+", "_", name) or "_"
    while name in taken:
        name += "_"
    return name


def _reader(folder: Path) -> Callable[[], Collected]:
    return lambda: preflight.collect(folder)


def _linked() -> Collected:
    return Collected(flags=["the submission is a link: it was not read"])


def _from_zip(path: Path, assignment: str) -> dict[str, Callable[[], Collected]]:
    """The members of a zip, by student. Nothing is unpacked to disk."""
    found: list[tuple[tuple[str, ...], zipfile.ZipInfo]] = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            parts = PurePosixPath(info.filename.replace("\\", "/")).parts
            if not info.is_dir() and parts and ".." not in parts and "__MACOSX" not in parts:
                found.append((parts, info))
    # A zip of the folder submitted/ itself: that name is nobody's.
    if len({parts[0] for parts, _ in found}) == 1 and any(parts[2:3] == (assignment,) for parts, _ in found):
        found = [(parts[1:], info) for parts, info in found]

    members: dict[tuple[str, str | None], list[tuple[str, zipfile.ZipInfo]]] = {}
    for parts, info in found:
        where = "/".join(parts)
        if match := MOODLE.fullmatch(where):
            student, number, name = match.groups()
        elif assignment not in parts and (match := CANVAS.fullmatch(parts[-1])):
            student, number, name = match.groups()
            # Canvas marks a second upload of the same name: exercises-1.ipynb.
            name = re.sub(r"-\d+(?=\.\w+$)", "", name)
        elif len(parts) > 1:
            student, number, name = parts[0], None, "/".join(parts[1:]).removeprefix(f"{assignment}/")
        else:
            continue
        members.setdefault((student, number), []).append((name, info))

    people = [student for student, _ in members]
    readers: dict[str, Callable[[], Collected]] = {}
    for (student, number), files in members.items():
        # Two people may have one name; the LMS's number tells them apart.
        unique = f"{student} {number}" if number and people.count(student) > 1 else student
        readers[student_name(unique, readers)] = _zip_reader(path, files)
    return readers


def _zip_reader(path: Path, files: list[tuple[str, zipfile.ZipInfo]]) -> Callable[[], Collected]:
    def read() -> Collected:
        collected = Collected()
        with zipfile.ZipFile(path) as archive:
            for name, info in files:
                room = preflight.MAX_TOTAL_BYTES - sum(map(len, collected.files.values()))
                if stat.S_ISLNK(info.external_attr >> 16):
                    collected.flags.append(f"{name!r} is a link: it was not read")
                elif len(collected.files) >= preflight.MAX_FILES:
                    collected.flags.append(f"more than {preflight.MAX_FILES} files; the rest was not read")
                    break
                else:
                    limit = min(room, preflight.MAX_FILE_BYTES)
                    with archive.open(info) as member:  # the size in the index may be a lie: read with a cap
                        content = member.read(limit + 1)
                    if len(content) > limit:
                        collected.notes.append(f"{name!r} is too large: it was not read")
                    else:
                        collected.files[name] = content
        return collected

    return read
