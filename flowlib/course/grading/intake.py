"""Who handed in what: a class as a folder or a zip, in nbgrader's layout or as a learning platform gives it.

`layouts` tells the layout, `names` gives everybody a name of their own, `archives` reads zips.
Nothing is unpacked to disk, and no link is followed.
"""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flowlib.course.folders import CourseError
from flowlib.course.grading import archives, layouts, names, preflight
from flowlib.course.grading.layouts import Place
from flowlib.course.grading.names import Person, student_name
from flowlib.course.grading.preflight import Collected

Reader = Callable[[], Collected]
MAX_DEPTH = 10  # folders in which the files of a class are looked for
_COURSE = ("lessons", "solutions")  # folders of the course itself: nobody's name


class Submissions(dict[str, Reader]):
    """For each student a function that reads the submission, in the order of their names.

    Attributes:
        layout: the name of the layout that was found.
        origins: how each student was named in the class, for the journal.
        renamed: names that could not stay as they were, and what became of them.
        passed_over: folders and files that are nobody's submission.
    """

    def __init__(self, layout: str, readers: dict[Person, Reader], named: dict[Person, names.Named]):
        super().__init__(sorted((named[p].student, _with(named[p], read)) for p, read in readers.items()))
        self.layout = layout
        self.origins = {named[person].student: person.origin for person in readers}
        self.renamed = sorted(
            (str(person), named[person].student)
            for person in readers
            if named[person].student != names.composed(person.label)
        )
        self.passed_over: list[str] = []


def read_class(source: Path, assignment: str, known: Mapping[str, list[str]] | None = None) -> Submissions:
    """Find everybody who handed in.

    Args:
        known: the origins of students of earlier runs, by their names: two people of one name who come
            in two zips are told apart.

    Raises:
        CourseError: there is nothing to grade at `source`; the message says what was expected.
    """
    if source.is_dir():
        classroom = source.name.endswith("-submissions")  # GitHub Classroom's clones may hold the lesson too
        found = (not classroom and _nbgrader(source, assignment)) or _Found.of(_Folder(source), assignment)
    elif source.is_file() and _is_zip(source):
        found = _Found.of(_Zip(source), assignment)
    else:
        raise CourseError(f"{source} is no folder of submissions and no zip file, or no whole one.")
    submissions = Submissions(found.layout, found.readers, names.tell_apart(found.readers, known or {}))
    submissions.passed_over = sorted(found.passed_over)
    return submissions


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:  # given the path alone, is_zipfile hides that nobody may read it
        return zipfile.is_zipfile(file)


def _with(named: names.Named, read: Reader) -> Reader:
    """A reader that adds what has to be said about the student's name."""

    def read_and_say() -> Collected:
        collected = read()
        collected.notes[:0] = named.notes
        collected.flags[:0] = named.flags
        return collected

    return read_and_say


@dataclass
class _Found:
    """People and their readers, in one layout."""

    layout: str
    readers: dict[Person, Reader]
    passed_over: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, files: _Zip | _Folder, assignment: str) -> _Found:
        """Tell the layout of a zip or folder and share out its files.

        Raises:
            CourseError: it has none of the known layouts.
        """
        paths = list(files.paths)
        told = layouts.tell(paths, assignment, files.source.name.removesuffix(".zip"))
        if told is None:
            raise CourseError(_unknown(files.source, assignment, paths))
        layout, places = told
        owned: dict[Person, dict[str, Place]] = {}
        for path, place in places.items():
            owned.setdefault(place.person, {})[path] = place
        readers = {person: _reader(files, assignment, mine) for person, mine in owned.items()}
        return cls(layout.name, readers, _passed_over(paths, places))


def _unknown(source: Path, assignment: str, paths: list[str]) -> str:
    work = [path for path in paths if path.lower().endswith(".ipynb")] or paths
    have = ", ".join(repr(path[:100]) for path in sorted(work)[:4]) or "nothing"
    known = "\n".join(f"  {layout.name}: {layout.example}" for layout in layouts.LAYOUTS)
    known = known.replace("@lesson@", assignment)
    return (
        f"{source} holds no submission to {assignment} in a layout that is known. Found: {have}. "
        f"Known, as a folder or as a zip:\n{known}\nOne student's work alone goes to <student>/{assignment}/."
    )


def _passed_over(paths: list[str], places: dict[str, Place]) -> set[str]:
    """Of what is nobody's the top folders, and files that lie among those of people."""
    taken = {above for path in places for above in _folders(path)}
    homes = {place.home for place in places.values()}
    return {
        next((above for above in _folders(path) if above not in taken), path)
        for path in paths
        if path not in places and not homes.intersection(_folders(path))
    }


def _folders(path: str) -> list[str]:
    """The folders above a path, from the top."""
    parts = path.rstrip("/").split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _reader(files: _Zip | _Folder, assignment: str, mine: dict[str, Place]) -> Reader:
    def read() -> Collected:
        collected = Collected()
        files.read(_chosen(mine, collected.notes), collected)
        archives.unpack(collected, assignment)
        archives.bring_home(collected, assignment)
        return collected

    return read


def _chosen(mine: dict[str, Place], notes: list[str]) -> dict[str, str]:
    """Of a person's files the last of each name and of the last attempt: name in the submission -> path."""
    attempts = sorted({place.attempt for place in mine.values()})
    if len(attempts) > 1:
        notes.append(f"of {len(attempts)} attempts the last was graded, of {attempts[-1]}")
    last = [item for item in mine.items() if item[1].attempt == attempts[-1]]
    chosen: dict[str, str] = {}
    for path, place in sorted(last, key=lambda item: (item[1].again, item[0])):
        if place.file in chosen:
            notes.append(f"{place.file!r} was handed in more than once; the last was graded")
        if place.file:
            chosen[place.file] = path
    return chosen or {path: path for path, _ in last}


# ---------------------------------------------------------------------------- where the files are


class _Zip:
    """The files of a zip, by their paths."""

    def __init__(self, source: Path):
        self.source = source
        with self._open() as archive:
            # Where two have one path, the true one and of these the last counts, as when a zip is unpacked.
            found = sorted(archives.members(archive), key=lambda member: not member.trick)
            self.paths = {member.path: member for member in found}

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.source)
        except OSError:
            raise
        except Exception as error:  # a damaged index ends in any error that zipfile can raise
            raise CourseError(
                f"{self.source} cannot be read as a zip file: {error}. Pack it again."
            ) from error

    def read(self, files: dict[str, str], collected: Collected) -> None:
        """Read files, given as name in the submission -> path, into a submission."""
        with self._open() as archive:
            for name, path in files.items():
                if not path.endswith("/"):
                    archives.read(archive, self.paths[path], collected, name)


class _Folder:
    """The files below a folder, by their paths; a folder without any has a "/" at the end."""

    def __init__(self, source: Path):
        self.source = source
        self.paths = dict.fromkeys(self._walk(source, ""))

    def _walk(self, folder: Path, where: str, depth: int = 0) -> Iterable[str]:
        try:
            inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            if not where:
                raise
            inside = []
        if not inside and where:
            yield where
        for entry in inside:
            path = f"{where}{entry.name}"
            if entry.name in preflight.IGNORED or entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                yield from self._walk(folder / entry.name, f"{path}/", depth + 1)
            else:
                yield path

    def read(self, files: dict[str, str], collected: Collected) -> None:
        """Read files, given as name in the submission -> path, into a submission."""
        preflight.collect_files(self.source, files, collected)


# ---------------------------------------------------------------------------- nbgrader's folders


def _nbgrader(source: Path, assignment: str) -> _Found | None:
    """The folders <student>/<assignment>/ of nbgrader; none: this is another layout."""
    readers: dict[Person, Reader] = {}
    others = set()
    for folder in source.iterdir():
        if folder.name.startswith(".") or folder.name in _COURSE:
            continue
        if folder.is_symlink():
            readers[Person(folder.name)] = _linked
        elif _is_there(folder / assignment):
            readers[Person(folder.name)] = _folder_reader(folder / assignment, assignment)
        else:
            others.add(folder.name)
    if all(read is _linked for read in readers.values()):
        return None
    return _Found("nbgrader", readers, others)


def _is_there(path: Path) -> bool:
    """Whether a folder holds this; one that cannot be looked into may, and reading it will tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _folder_reader(folder: Path, assignment: str) -> Reader:
    def read() -> Collected:
        collected = preflight.collect(folder)
        archives.unpack(collected, assignment)
        archives.bring_home(collected, assignment)
        return collected

    return read


def _linked() -> Collected:
    return Collected(flags=["the submission is a link: it was not read"])


# ---------------------------------------------------------------------------- when they handed in


def read_times(path: Path) -> dict[str, float]:
    """When each student handed in, from a table that the collector wrote: student,time (ISO 8601, UTC).

    Raises:
        CourseError: a line cannot be read.
    """
    times = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path} is no table in UTF-8 ({error}): save it as CSV, UTF-8.") from error
    for number, row in enumerate(rows, start=1):
        if not row or row[0].strip().lower() in ("student", "student_id"):
            continue
        try:
            stamp = datetime.fromisoformat(row[1].strip())
            seconds = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
        except (IndexError, ValueError, OverflowError) as error:
            raise CourseError(f"{path}, line {number}: expected student,time; got {row}") from error
        times[student_name(row[0])] = seconds
    return times
