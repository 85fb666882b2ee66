"""Where the pieces of the course lie, and how its commands speak of what went wrong."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

NOTEBOOK = "exercises.ipynb"  # what students hand in, one in each lesson
RESULTS = ".results"  # gradebook, marks and feedback; `make clean` leaves it alone


class CourseError(Exception):
    """Something that the user can mend; the message says how. Commands print it and end with code 1."""


def needs_linux(mac: bool = False) -> None:
    """Refuse where grading cannot work, before anything is imported that would fail in other words.

    Args:
        mac: what follows works on a Mac too.

    Raises:
        CourseError: this is another system.
    """
    if sys.platform != "linux" and not (mac and sys.platform == "darwin"):
        raise CourseError("Grading needs Linux: on Windows use WSL 2, on a Mac a Linux container.")


def course_root(start: str | Path | None = None) -> Path:
    """The folder of the course: the nearest one, from `start` upwards, that holds lessons and their setup.

    Raises:
        CourseError: neither `start` nor this package lies in the course.
    """
    start = Path(start or Path.cwd()).resolve()
    package = Path(__file__).resolve().parents[2]
    for folder in [start, *start.parents, package]:
        # The students' edition has no nbgrader_config.py.
        if (folder / "lessons").is_dir() and any(
            (folder / name).is_file() for name in ("nbgrader_config.py", "constraints.txt")
        ):
            return folder
    raise CourseError(f"{start} is not inside the course. Change to the folder that holds its README.md.")


def instructors_root() -> Path:
    """The folder of the course, where it is the instructors' edition.

    Raises:
        CourseError: it is the students'.
    """
    root = course_root()
    if not (root / "solutions").is_dir():
        raise CourseError(
            f"{root} is the students' edition: it holds no solutions to release or to grade with."
        )
    return root


def lesson_names(root: Path) -> list[str]:
    """The lessons that exist, in order: 01_change_of_variables, ..."""
    folders = {
        path.name
        for parent in (root / "lessons", root / "solutions")
        if parent.is_dir()
        for path in parent.iterdir()
        if path.is_dir() and re.match(r"\d\d_", path.name) and any(path.glob("*.ipynb"))
    }
    return sorted(folders)


def lesson_name(root: Path, wanted: str) -> str:
    """The full name of a lesson that somebody calls 3, 03, 03_planar or 03_planar_flows.

    Raises:
        CourseError: there is no such lesson; the message names those that exist.
    """
    names = lesson_names(root)
    wanted = wanted.strip().rstrip("/").removeprefix("lessons/").removeprefix("solutions/")
    if wanted.isdigit():
        wanted = f"{int(wanted):02d}_"
    found = [name for name in names if name.startswith(wanted)] if wanted else []
    if len(found) == 1 or wanted in found:
        return wanted if wanted in found else found[0]
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    have = ", ".join(names) or "none yet"
    raise CourseError(f"There is no lesson {wanted.rstrip('_')!r}.{hint} Lessons: {have}.")
