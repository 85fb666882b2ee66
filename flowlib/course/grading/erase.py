"""Forgetting one student: in the journals, in the gradebook, and in the files of the results."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from flowlib.course.folders import CourseError
from flowlib.course.grading import journal
from flowlib.course.grading.gradebook import Book

FOLDERS = ("autograded", "feedback", "submitted")  # each holds a folder for each student


@dataclass
class Erased:
    """What there was of a student."""

    results: int = 0  # in the journals, of all lessons
    marks: bool = False  # in the gradebook
    folders: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.results or self.marks or self.folders)


def erase(out: Path, url: str, student: str) -> Erased:
    """Remove a student from the results in `out` and the gradebook at `url`; tables are not written anew.

    Done again after an interruption, it removes what is left.

    Raises:
        CourseError: that is no name of a student, or another run is grading.
    """
    if student in ("", ".", "..") or Path(student).name != student:
        raise CourseError(f"{student!r} is no student's name: take it from grades.csv.")
    gone = Erased()
    for path in sorted((out / "journal").glob("*.jsonl")):
        log = journal.Journal(path)
        try:
            gone.results += log.erase(student)
        finally:
            log.close()
    with Book(url) as book:
        gone.marks = book.erase(student)
    for folder in (out / name / student for name in FOLDERS):
        if folder.is_symlink():
            folder.unlink()
        elif folder.is_dir():
            shutil.rmtree(folder)
        else:
            continue
        gone.folders.append(folder)
    return gone
