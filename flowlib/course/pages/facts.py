"""What a lesson says of itself: its question, its minutes, what it promises, its picture, what to read next.

The first page of the site and its list of readings are made of these words, so they stand in one place only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowlib.course.exercises.exercise import read_cells, text
from flowlib.course.pages.web import title_of

QUESTION = re.compile(r"\*\*The question\.\*\* (.+?)(?:\n\n|\Z)", re.DOTALL)
PROMISES = re.compile(r"\*\*After this lesson you can\*\*\n((?:- .+\n?)+)")
MINUTES = re.compile(r"About (\d+) minutes(?:.*?(\d+) more)?", re.DOTALL)
PICTURE = re.compile(r"!\[([^\]]+)\]\([^)]*/assets/figures/([\w.]+)\)")
READINGS = re.compile(r"### Further reading\n+((?:(?:-|\d+\.) .+\n?)+)")
REFERENCES = re.compile(r"### References\n+((?:\d+\. .+\n?)+)")
CITED = re.compile(r"\[(\d+)\](?!\()")


@dataclass(frozen=True)
class Picture:
    alt: str
    file: str  # its name in assets/figures


@dataclass(frozen=True)
class Facts:
    """What a lesson says of itself, in markdown. What it does not say is empty, 0 or None."""

    title: str  # Lesson 1 · Change of variables in one dimension
    question: str
    minutes: int  # of a student, for the first reading
    more_minutes: int  # for what can wait
    promises: list[str]  # what one can do after it
    picture: Picture | None
    readings: list[tuple[str, list[str]]]  # what to read of which source and why; the sources that it cites


def facts_of(lesson: Sequence[dict], demo: Sequence[dict] = ()) -> Facts:
    """Read the cells of a lesson; its picture may stand in its demo."""
    start = text(lesson[0]) if lesson else ""
    words = "\n\n".join(text(cell) for cell in lesson if cell["cell_type"] == "markdown")
    question, minutes = QUESTION.search(start), MINUTES.search(start)
    first, more = minutes.groups() if minutes else (0, 0)
    pictures = [PICTURE.search(text(cells[0])) for cells in (lesson, demo) if cells]
    sources = dict(item.split(". ", 1) for item in _lines(REFERENCES.search(words)))
    return Facts(
        title=title_of([*lesson, *demo]),
        question=question.group(1) if question else "",
        minutes=int(first),
        more_minutes=int(more or 0),
        promises=[item.removeprefix("- ").rstrip(";.") for item in _lines(PROMISES.search(start))],
        picture=next((Picture(*found.groups()) for found in pictures if found), None),
        readings=[
            (item.split(" ", 1)[1], [f"[{n}] {sources[n]}" for n in CITED.findall(item) if n in sources])
            for item in _lines(READINGS.search(words))
        ],
    )


def points_of(exercises: Mapping[str, Any]) -> float:
    """How many points there are to be had in a notebook of exercises."""
    return sum(cell.points or 0 for cell in read_cells(exercises))


def _lines(found: re.Match | None) -> list[str]:
    return found.group(1).splitlines() if found else []
