"""What slides and the site share: notebooks as pages that need no network, and words for pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flowlib.course.exercises.exercise import text
from flowlib.course.folders import CourseError

MATH = r"\$\$.*?\$\$|\$[^$\n]+\$|```.*?```|`[^`\n]+`"  # what in markdown is not prose


def read_notebook(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def plain(markdown: str) -> str:
    """The words of a markdown text: no formulas, links, pictures or marks."""
    words = re.sub(r"<[^>]+>|!\[[^\]]*\]\([^)]*\)", " ", markdown)
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words)
    words = re.sub(r"\$\$.*?\$\$", " ", words, flags=re.DOTALL).replace("\\", "")
    return re.sub(r"\s+", " ", re.sub(r"[*_`#$|]", "", words)).strip()


def words_for_figure(cells: list[dict], index: int) -> str:
    """What the figure of cell `index` shows: its metadata `alt`, the sentence after it, or the one before."""
    if alt := cells[index]["metadata"].get("alt"):
        return alt
    neighbours = [*cells[index + 1 : index + 2], *reversed(cells[:index])]
    for cell in neighbours:
        if cell["cell_type"] == "markdown":
            paragraphs = [p for p in text(cell).split("\n\n") if not p.startswith("#") and plain(p)]
            if paragraphs:
                sentence = re.split(r"(?<=[.!?:]) ", plain(paragraphs[0]))[0]
                return sentence[:200]
    return "Figure"


def title_of(cells: list[dict]) -> str:
    """The first heading of a notebook."""
    for cell in cells:
        if cell["cell_type"] == "markdown" and (found := re.match(r"#\s+(.+)", text(cell))):
            return plain(found.group(1))
    return "Untitled"


def replaced(page: str, old: str, new: str) -> str:
    """A page that another program wrote, with `new` for every `old`.

    Raises:
        CourseError: `old` is not in it; a newer version of that program may write it otherwise.
    """
    if old not in page:
        raise CourseError(f"A page was expected to hold {old!r}, to be replaced by {new!r}; it does not.")
    return page.replace(old, new)
