"""How learning platforms name the files of a class; a layout is told from the names alone.

Where the forms come from: Canvas's content_zipper.rb, Moodle's mod/assign/classes/downloader.php,
Blackboard's assignment file download, ILIAS's class.ilExSubmission.php, Sakai's
AssignmentServiceImpl.java, and `gh classroom clone student-repos`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile
from os.path import commonpath

from flowlib.course.folders import NOTEBOOK
from flowlib.course.grading.names import Person

_WORK = (".ipynb", ".zip")  # what a student's work is in
_ANY = r"(?:.*/)?"  # folders around
_SAKAI = r"[^/]*,[^/]*\([^/()]+\)"  # Meier, Anna(ameier)
_EXERCISES = r"exercises[\W_]*\d*[\W_]*"  # also exercises (1), exercises-1


@dataclass(frozen=True)
class Layout:
    """One way in which a class arrives.

    Args:
        name: whose way it is.
        example: a path, for people.
        patterns: of a path, with the group person and, where they are given, number, attempt and file.
        sure: nothing else has such names, so one file tells it; other layouts have to fit all notebooks.
        alone: it tells one person's files too; other layouts would take one student's own work for a class.
        again: of a file's name, what the platform adds when it is handed in again; group 1 counts.
        holds: a file that each person must have.
        shared: all persons' names begin with the assignment's, up to a "_".
    """

    name: str
    example: str
    patterns: tuple[str, ...]
    sure: bool = False
    alone: bool = False
    again: str | None = None
    holds: str | None = None
    shared: bool = False


@dataclass(frozen=True)
class Place:
    """Where a file of the class belongs.

    Args:
        person: whose it is.
        home: the path up to the person's name; all that lies in this folder is the person's.
        file: its name in the submission; '' where a path says no more than who handed in.
        attempt: when it was handed in, where the platform gives all attempts.
        again: which of several uploads of this name it is.
    """

    person: Person
    home: str
    file: str
    attempt: str = ""
    again: int = 0


# In patterns @lesson@ stands for the assignment, @inner@ for the folders that all notebooks share, and
# @slug@ for what the folder or zip itself is called before "-submissions". They are tried in this order.
LAYOUTS = (
    Layout(
        "Moodle",
        "Anna Meier_4711_assignsubmission_file_/exercises.ipynb",
        (_ANY + r"(?P<person>[^/]+?)(?:_(?P<number>\d+))?_assignsubmission_[a-z]+_?/?(?P<file>.*)",),
        sure=True,
    ),
    Layout(
        "Blackboard",
        "Exercise 3_ameier_attempt_2026-01-31-12-00-00_exercises.ipynb",
        (_ANY + r"(?P<person>[^/]+)_attempt_(?P<attempt>\d{4}(?:-\d\d){5})(?:_(?P<file>[^/]+)|\.txt)",),
        sure=True,
        shared=True,
    ),
    Layout(
        "Sakai",
        "Exercise 3/Meier, Anna(ameier)/Submission attachment(s)/exercises.ipynb",
        (
            _ANY + r"(?P<person>[^/]+)[/_]Submission attachment\(s\)[/_](?P<file>.*)",
            _ANY + rf"(?P<person>{_SAKAI})/(?!Feedback |feedbackText|comments\.txt)(?P<file>.*)",
        ),
        sure=True,
        again=r"\+(\d+)(?=\.\w+$)",
    ),
    Layout(
        "GitHub Classroom",
        "planar-flows-submissions/planar-flows-ameier/exercises.ipynb",
        (
            r"@slug@-(?P<person>[^/]+)/(?P<file>.*)",
            _ANY + r"(?P<slug>[^/]+)-submissions/(?P=slug)-(?P<person>[^/]+)/(?P<file>.*)",
        ),
        sure=True,
    ),
    Layout(
        "nbgrader",
        "ameier/@lesson@/exercises.ipynb",
        (r"(?:.*?/)?(?P<person>(?!(?:lessons|solutions)/)[^/]+)/@lesson@(?:/(?P<file>.*))?",),
        sure=True,
    ),
    Layout(
        "Canvas",
        "meieranna_12345_67890_exercises.ipynb, or anon_Xy12z_67890_exercises.ipynb",
        (
            _ANY + r"(?:LATE_)?(?P<person>anon_[^\W_]+)_(?:\d+_(?P<file>[^/]+)|(?:text|link)\.html)",
            _ANY + r"(?P<person>[^/]+?)_(?:LATE_)?(?P<number>\d+)_(?:\d+_(?P<file>[^/]+)|\w+\.html)",
        ),
        alone=True,
        again=r"-(\d+)(?=\.\w+$)",
    ),
    Layout(
        "ILIAS",
        "Multi Feedback/Meier_Anna_ameier_123/exercises.ipynb",
        (_ANY + r"(?P<person>[^/_]+_[^/]*_[^/_]+_\d+)/(?P<file>.*)",),
        again=r"^(\d{4,14})_",
    ),
    Layout(
        "a folder for each student",
        "ameier/exercises.ipynb",
        (r"@inner@(?P<person>(?!(?:lessons|solutions|@lesson@)/)[^/]+)/(?P<file>.+)",),
        holds=r"[^/]*exercises[^/]*\.ipynb|[^/]+\.zip",
    ),
    Layout(
        "a notebook, or a zip, for each student",
        "ameier.ipynb",
        (rf"@inner@(?P<person>(?!{_EXERCISES}\.)[^/]+)\.(?P<file>(?i:ipynb|zip))",),
    ),
)


def tell(paths: list[str], assignment: str, top: str = "") -> tuple[Layout, dict[str, Place]] | None:
    """The layout of a class and the place of each file that it explains; none: it is not known.

    Args:
        paths: of the files, with "/" between folders.
        top: the name of the folder or zip itself.
    """
    work = [path for path in paths if path.lower().endswith(_WORK)]
    inner = commonpath([path.rpartition("/")[0] for path in work]) if work else ""
    slug = top.removesuffix("-submissions") if top.endswith("-submissions") else "\0"  # is in no name
    for layout in LAYOUTS:
        places = _placed(layout, paths, {"lesson": assignment, "inner": inner and f"{inner}/", "slug": slug})
        if places and (layout.sure or _fits(layout, places, work)):
            return layout, places
    return None


def is_class(paths: list[str], assignment: str) -> bool:
    """Whether these can only be the files of several people."""
    told = tell(paths, assignment)
    if told is None:
        return False
    layout, places = told
    return (layout.sure or layout.alone) and len({place.person for place in places.values()}) > 1


def _placed(layout: Layout, paths: list[str], words: dict[str, str]) -> dict[str, Place]:
    patterns = [_filled(pattern, words) for pattern in layout.patterns]
    matches = {path: next(filter(None, (p.fullmatch(path) for p in patterns)), None) for path in paths}
    found = {path: match for path, match in matches.items() if match}
    begin = _shared([match["person"] for match in found.values()]) if layout.shared else 0
    return _by_parents({path: _place(layout, match, begin) for path, match in found.items()})


def _filled(pattern: str, words: dict[str, str]) -> re.Pattern:
    for name, word in words.items():
        pattern = pattern.replace(f"@{name}@", re.escape(word))
    return re.compile(pattern, re.DOTALL)


def _by_parents(places: dict[str, Place]) -> dict[str, Place]:
    """One name in two folders, as of two sections of a course, is of two people."""
    parents: dict[Person, set[str]] = {}
    for place in places.values():
        parents.setdefault(place.person, set()).add(place.home.rpartition("/")[0])
    shared = {person for person, above in parents.items() if len(above) > 1}
    return {path: _with_parent(place) if place.person in shared else place for path, place in places.items()}


def _with_parent(place: Place) -> Place:
    number = f"{place.person.number} {place.home.rpartition('/')[0]}".strip()
    return replace(place, person=replace(place.person, number=number))


def _shared(names: list[str]) -> int:
    """How many letters everybody's name begins with, in whole words up to a "_"."""
    words = zip(*(name.split("_")[:-1] for name in names), strict=False)
    return sum(len(word[0]) + 1 for word in takewhile(lambda word: len(set(word)) == 1, words))


def _place(layout: Layout, match: re.Match, begin: int) -> Place:
    groups = match.groupdict()
    file, again = groups.get("file") or "", 0
    if layout.again and (added := re.search(layout.again, file)):
        file, again = file[: added.start()] + file[added.end() :], int(added[1])
    if file.lower() in ("ipynb", "zip"):  # the file has the student's name
        file = NOTEBOOK if file.lower() == "ipynb" else "work.zip"
    person = Person(match["person"][begin:] or match["person"], groups.get("number") or "")
    return Place(person, match.string[: match.end("person")], file, groups.get("attempt") or "", again)


def _fits(layout: Layout, places: dict[str, Place], work: list[str]) -> bool:
    """Whether a layout that is not sure explains all the work, for as many people as it must."""
    people = {place.person for place in places.values()}
    holders = {
        place.person
        for place in places.values()
        if layout.holds is None or re.fullmatch(layout.holds, place.file, re.IGNORECASE)
    }
    enough = layout.alone or len(people) > 1
    return enough and holders == people and all(path in places for path in work)
