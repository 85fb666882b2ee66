"""A demo notebook as slides: one HTML file that holds everything, for lecture halls without a network.

Cells carry JupyterLab's slide types: `slide` starts a slide, `subslide` one below it, `fragment`
appears on a click, `skip` is left out, `notes` is for the speaker, anything else goes on with the
slide before it. Of code cells only the outputs show.
"""

from __future__ import annotations

import base64
import html
import mimetypes
import re
from pathlib import Path

from flowlib.course.exercises.exercise import text
from flowlib.course.folders import CourseError
from flowlib.course.pages.web import read_notebook, title_of, words_for_figure

PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif")


def make_slides(root: Path, lesson: str) -> Path:
    """Write .build/slides/<lesson>.html and return its path.

    Raises:
        CourseError: the lesson has no demo, or the demo shows a picture that does not exist.
    """
    notebook = root / "lessons" / lesson / "demo.ipynb"
    if not notebook.is_file():
        raise CourseError(f"lessons/{lesson} has no demo.ipynb to make slides of.")
    cells = read_notebook(notebook)["cells"]
    page = (Path(__file__).parent / "slides.html").read_text(encoding="utf-8")
    web = root / "assets" / "web"
    parts = {
        "title": html.escape(title_of(cells)),
        "slides": _sections(cells, notebook.parent),
        "reveal_css": (web / "reveal.css").read_text(encoding="utf-8"),
        "reveal_js": (web / "reveal.js").read_text(encoding="utf-8"),
        "mathjax_js": (web / "mathjax.js").read_text(encoding="utf-8"),
    }
    for name, content in parts.items():
        page = page.replace(f"<!-- {name} -->", content).replace(f"/* {name} */", content)
    target = root / ".build" / "slides" / f"{lesson}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


def _sections(cells: list[dict], folder: Path) -> str:
    stacks: list[list[list[str]]] = []  # stacks of slides of parts
    for index, cell in enumerate(cells):
        kind = cell["metadata"].get("slideshow", {}).get("slide_type", "-")
        if kind == "skip":
            continue
        if kind == "slide" or not stacks:
            stacks.append([[]])
        elif kind == "subslide":
            stacks[-1].append([])
        part = _cell(cells, index, folder)
        if kind == "fragment" and part:
            part = f'<div class="fragment">{part}</div>'
        elif kind == "notes":
            part = f'<aside class="notes">{part}</aside>'
        stacks[-1][-1].append(part)
    sections = []
    for stack in stacks:
        slides = [f"<section>{''.join(parts)}</section>" for parts in stack if any(parts)]
        sections.append(f"<section>{''.join(slides)}</section>" if len(slides) > 1 else "".join(slides))
    return "\n".join(sections)


def _cell(cells: list[dict], index: int, folder: Path) -> str:
    cell = cells[index]
    if cell["cell_type"] == "markdown":
        from nbconvert.filters import markdown2html_mistune

        return _embed_pictures(markdown2html_mistune(text(cell)), folder)
    if cell["cell_type"] != "code":
        return ""
    return "".join(_output(output, words_for_figure(cells, index)) for output in cell["outputs"])


def _output(output: dict, words: str) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(''.join(output['text']))}</pre>" if output["name"] == "stdout" else ""
    data = output.get("data", {})
    for kind in PICTURES:
        if kind in data:
            content = data[kind] if isinstance(data[kind], str) else "".join(data[kind])
            if kind == "image/svg+xml":
                content = base64.b64encode(content.encode()).decode()
            return f'<img alt="{html.escape(words)}" src="data:{kind};base64,{content.strip()}">'
    if "application/vnd.jupyter.widget-view+json" in data:
        return ""  # sliders need a kernel; the demo shows a figure in their place
    for kind in ("text/html", "text/markdown", "text/plain"):
        if kind in data:
            content = "".join(data[kind])
            return content if kind == "text/html" else f"<pre>{html.escape(content)}</pre>"
    return ""


def _embed_pictures(page: str, folder: Path) -> str:
    def embed(found: re.Match) -> str:
        address = html.unescape(found.group(2))
        if address.startswith("data:"):
            return found.group(0)
        path = folder / address
        if not path.is_file():
            raise CourseError(f"{folder / 'demo.ipynb'} shows a picture that does not exist: {address}")
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        content = base64.b64encode(path.read_bytes()).decode()
        return f"{found.group(1)}data:{kind};base64,{content}{found.group(3)}"

    return re.sub(r'(<img[^>]*src=")([^"]+)(")', embed, page)
