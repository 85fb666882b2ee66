"""A demo notebook as slides: one HTML file that holds everything, for lecture halls without a network.

Cells carry JupyterLab's slide types: `slide` starts a slide, `subslide` one below it, `fragment`
appears on a click, `skip` is left out, `notes` is for the speaker, anything else goes on with the
slide before it. Of code cells only the outputs show; where sliders have a live figure, it stands for them,
beside the question, and the answer takes the question's place.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from flowlib.course.exercises.exercise import text
from flowlib.course.folders import CourseError
from flowlib.course.pages import templates
from flowlib.course.pages.live.figures import LIVE_CSS, data, figures, scripts
from flowlib.course.pages.web import plain, read_notebook, title_of, words_for_figure

PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif")
MINUTES = re.compile(r"(\d+) minutes?\.")  # the first slide's "14 minutes in all" adds nothing

FOLD = re.compile(r"<details><summary>.*?</summary>|</details>")  # around notes, where JupyterLab shows them


@dataclass(frozen=True)
class Piece:
    """What a cell shows: html as it stands, a picture by its address (and `words`), text, a live figure."""

    kind: str
    content: str
    words: str = ""


@dataclass(frozen=True)
class Part:
    """What one cell adds to a slide: at once, as a fragment, or as notes."""

    kind: str
    pieces: list[Piece]
    minutes: int = 0  # how long the speaker's notes take, as they begin: "3 minutes. ..."


@dataclass(frozen=True)
class Slide:
    """The parts of a slide, sorted by where they stand on it."""

    parts: list[Part]
    inherited: str = ""  # the heading of the slide above, for one that has none

    @property
    def figures(self) -> list[Piece]:
        """What stands beside the words: live figures, or the picture that an answer speaks of."""
        kinds = ("live", "picture") if self.answers else ("live",)
        at_once = [part for part in self.parts if part.kind not in ("fragment", "notes")]
        return [piece for part in at_once for piece in part.pieces if piece.kind in kinds]

    @property
    def heading(self) -> str:
        return self._first[0] or self.inherited

    @property
    def shown(self) -> list[Part]:
        """What is there at once, without the heading and the figures."""
        heading, below = self._first
        shown = [Part("-", [Piece("html", below)])] if below.strip() else []
        for part in self.parts[bool(heading) :]:
            pieces = [piece for piece in part.pieces if piece not in self.figures]
            if part.kind not in ("fragment", "notes") and pieces:
                shown.append(Part(part.kind, pieces))
        return shown

    @property
    def answers(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "fragment"]

    @property
    def notes(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "notes"]

    @property
    def _first(self) -> tuple[str, str]:
        """The heading that the first part begins with, and what follows it."""
        content = self.parts[0].pieces[0].content if self.parts[0].pieces[0].kind == "html" else ""
        found = re.match(r"\s*(<h\d.*?</h\d>)(.*)", content, re.DOTALL)
        return (found.group(1), found.group(2)) if found else ("", "")


def make_slides(root: Path, lesson: str) -> Path:
    """Write .build/slides/<lesson>.html and return its path.

    Raises:
        CourseError: the lesson has no demo, or the demo shows a picture that does not exist.
    """
    notebook = root / "lessons" / lesson / "demo.ipynb"
    if not notebook.is_file():
        raise CourseError(f"lessons/{lesson} has no demo.ipynb to make slides of.")
    cells = read_notebook(notebook)["cells"]
    web, live = root / "assets" / "web", figures(lesson)
    page = templates.render(
        "slides.html",
        title=title_of(cells),
        stacks=_stacks(cells, notebook.parent, live),
        reveal_css=(web / "reveal.css").read_text(encoding="utf-8"),
        live_css=LIVE_CSS.read_text(encoding="utf-8"),
        reveal_js=(web / "reveal.js").read_text(encoding="utf-8"),
        mathjax_js=(web / "mathjax.js").read_text(encoding="utf-8"),
        live_js=[script.read_text(encoding="utf-8") for script in scripts(root, lesson)] if live else [],
        live_data=data(lesson) if live else "",
    )
    target = root / ".build" / "slides" / f"{lesson}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


def _stacks(cells: list[dict], folder: Path, live: set[str]) -> list[list[Slide]]:
    """The slides, in stacks of those that lie below each other."""
    stacks: list[list[list[Part]]] = []
    sliders = {cell.get("id", "") for cell in cells} - live
    stills = {name.removesuffix("slider") + "still" for name in sliders if name.endswith("-slider")}
    for index, cell in enumerate(cells):
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "-")
        if kind == "skip" and cell.get("id") in stills:
            kind = "-"  # nothing lives in its place
        if kind == "skip":
            continue
        if kind == "notes":
            cell["source"] = FOLD.sub("", text(cell)).strip()
        if kind == "slide" or not stacks:
            stacks.append([[]])
        elif kind == "subslide":
            stacks[-1].append([])
        if cell.get("id") in live:
            stacks[-1][-1].append(Part(kind, [Piece("live", cell["id"])]))
        elif pieces := _pieces(cells, index, folder):
            found = MINUTES.match(plain(text(cell))) if kind == "notes" else None
            stacks[-1][-1].append(Part(kind, pieces, int(found.group(1)) if found else 0))
    shown = [[parts for parts in stack if parts] for stack in stacks]
    return [[Slide(parts, Slide(stack[0]).heading) for parts in stack] for stack in shown if stack]


def _pieces(cells: list[dict], index: int, folder: Path) -> list[Piece]:
    """What a cell shows; nothing, if it is raw or its code showed nothing."""
    cell = cells[index]
    if cell["cell_type"] == "markdown":
        from nbconvert.filters import markdown2html_mistune

        page = _embed_pictures(markdown2html_mistune(text(cell)), folder)
        return [Piece("html", page)] if page else []
    if cell["cell_type"] != "code":
        return []
    words = words_for_figure(cells, index)
    return [piece for output in cell["outputs"] if (piece := _output(output, words))]


def _output(output: dict, words: str) -> Piece | None:
    if output["output_type"] == "stream":
        return Piece("text", "".join(output["text"])) if output["name"] == "stdout" else None
    data = output.get("data", {})
    for kind in PICTURES:
        if kind in data:
            content = "".join(data[kind])
            if kind == "image/svg+xml":
                content = base64.b64encode(content.encode()).decode()
            return Piece("picture", f"data:{kind};base64,{content.strip()}", words)
    if "application/vnd.jupyter.widget-view+json" in data:
        return None  # sliders need a kernel; the demo shows a figure in their place
    if "text/html" in data:
        return Piece("html", "".join(data["text/html"]))
    for kind in ("text/markdown", "text/plain"):
        if kind in data:
            return Piece("text", "".join(data[kind]))
    return None


def _embed_pictures(page: str, folder: Path) -> str:
    """Put each picture of a Markdown cell into its page.

    Raises:
        CourseError: a picture does not exist, or stands in the page otherwise than nbconvert writes it.
    """

    def embed(found: re.Match) -> str:
        address = unescape(found.group(2))
        if address.startswith("data:"):
            return found.group(0)
        path = folder / address
        if not path.is_file():
            raise CourseError(f"{folder / 'demo.ipynb'} shows a picture that does not exist: {address}")
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        content = base64.b64encode(path.read_bytes()).decode()
        return f"{found.group(1)}data:{kind};base64,{content}{found.group(3)}"

    embedded, pictures = re.subn(r'(<img[^>]*\ssrc=")([^"]+)(")', embed, page)
    if pictures != page.count("<img"):
        raise CourseError(
            f'{folder / "demo.ipynb"}: a picture cannot be put into the slides, expected src="..." in: {page}'
        )
    return embedded
