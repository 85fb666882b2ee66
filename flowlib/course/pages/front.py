"""The site's first page, its list of readings, and what stands on a lesson's pages besides its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flowlib.course import lab
from flowlib.course.exercises.exercise import text
from flowlib.course.pages import hosted, templates
from flowlib.course.pages.facts import Facts

KINDS = {"lesson": "Lesson", "demo": "Demo", "exercises": "Exercises"}
READINGS = "further-reading"


def index(
    facts: Mapping[str, Facts],
    points: Mapping[str, float],
    pages: Mapping[str, object],
    papers: Mapping[str, Path],
    **found: object,
) -> str:
    """The first page: a card for each lesson, where to begin, what else there is, and the order of all pages.

    Args:
        facts: what each lesson says of itself, by its folder.
        points: how many its exercises have.
        pages: the addresses of all pages made of notebooks, as lessons/NN_name/kind.
        papers: the pages made of a file each, by name.
        found: whatever else the template index.md asks for.
    """
    lessons = {
        lesson: [kind for kind in KINDS if f"lessons/{lesson}/{kind}" in pages] for lesson in sorted(facts)
    }
    return templates.render(
        "index.md",
        lessons=lessons,
        facts=facts,
        points=points,
        kinds=KINDS,
        papers={name: paper(file) for name, file in papers.items()},
        readings=READINGS if any(mine.readings for mine in facts.values()) else None,
        hours=round(sum(mine.minutes for mine in facts.values()) / 60),
        github=hosted.github(),
        **found,
    )


def readings(facts: Mapping[str, Facts]) -> str:
    """What all lessons send their readers on to, with the sources that they cite by number."""
    return templates.render("further-reading.md", facts=dict(sorted(facts.items())))


def paper(file: Path) -> tuple[str, str]:
    """The title and the first sentence of a page that is no lesson."""
    words = file.read_text(encoding="utf-8")
    title, _, rest = words.partition("\n")
    first = re.match(r"(.+?[.:])\s", " ".join(rest.split()))
    return title.removeprefix("# "), first.group(1).rstrip(".:") + "." if first else ""


def add_run_it(first: dict, path: str) -> None:
    """Say below the title in the first cell of lessons/NN_name/kind.ipynb how to run it."""
    title, _, rest = text(first).partition("\n")
    words = templates.render(
        "run_it.md",
        path=path,
        lesson=path.split("/")[1][:2],
        lab=f"http://localhost:{lab.PORT}/{lab.address(path)}",
        port=lab.PORT,
        colab=hosted.colab(path),
        github=hosted.github(),
    )
    first["source"] = f"{title}\n\n{words}\n{rest}"


def progress(lesson: str, kind: str, points: float) -> dict:
    """A cell in which progress.js asks whether a lesson is read, or how many points its exercises brought."""
    words = templates.render("progress.md", lesson=lesson, kind=kind, points=points)
    return {"cell_type": "markdown", "id": "progress", "metadata": {}, "source": words}
