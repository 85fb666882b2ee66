"""A demo notebook as slides: one HTML file that holds everything, for lecture halls without a network.

Cells carry JupyterLab's slide types: `slide` starts a slide, `subslide` one below it, `fragment`
appears on a click, `skip` is left out, `notes` is for the speaker, anything else goes on with the
slide before it. Of code cells only the outputs show.
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
from flowlib.course.pages.web import read_notebook, title_of, words_for_figure

PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif")


@dataclass(frozen=True)
class Piece:
    """What a cell shows: html as it stands, a picture by its address (and its `words`), or text."""

    kind: str
    content: str
    words: str = ""


@dataclass(frozen=True)
class Part:
    """What one cell adds to a slide: at once, as a fragment, or as notes."""

    kind: str
    pieces: list[Piece]


def make_slides(root: Path, lesson: str) -> Path:
    """Write .build/slides/<lesson>.html and return its path.

    Raises:
        CourseError: the lesson has no demo, or the demo shows a picture that does not exist.
    """
    notebook = root / "lessons" / lesson / "demo.ipynb"
    if not notebook.is_file():
        raise CourseError(f"lessons/{lesson} has no demo.ipynb to make slides of.")
    cells = read_notebook(notebook)["cells"]
    web = root / "assets" / "web"
    page = templates.render(
        "slides.html",
        title=title_of(cells),
        stacks=_stacks(cells, notebook.parent),
        reveal_css=(web / "reveal.css").read_text(encoding="utf-8"),
        reveal_js=(web / "reveal.js").read_text(encoding="utf-8"),
        mathjax_js=(web / "mathjax.js").read_text(encoding="utf-8"),
    )
    target = root / ".build" / "slides" / f"{lesson}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


def _stacks(cells: list[dict], folder: Path) -> list[list[list[Part]]]:
    """The slides, each a list of parts, in stacks of those that lie below each other."""
    stacks: list[list[list[Part]]] = []
    for index, cell in enumerate(cells):
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "-")
        if kind == "skip":
            continue
        if kind == "slide" or not stacks:
            stacks.append([[]])
        elif kind == "subslide":
            stacks[-1].append([])
        if pieces := _pieces(cells, index, folder):
            stacks[-1][-1].append(Part(kind, pieces))
    shown = [[slide for slide in stack if slide] for stack in stacks]
    return [stack for stack in shown if stack]


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
