"""The course as web pages: every lesson with its outputs, search, links between equations, no network.

Notebooks are copied to .build/site-source, where equations become targets and what cites them
becomes links, and Sphinx with myst-nb makes the pages. A broken link or a picture without words
fails the build.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from flowlib.course.exercises.exercise import text
from flowlib.course.folders import CourseError, lesson_names
from flowlib.course.pages.web import MATH, read_notebook, title_of, words_for_figure

KINDS = {"lesson": "Lesson", "demo": "Demo", "exercises": "Exercises"}
CHEAT_SHEET = "cheatsheet.html"
TAG = re.compile(r"\\tag\{(\d+\.\d+[a-z]?)\}")

CONF = """\
project = "Normalizing flows"
author = "The authors of the flow course"
copyright = "text and figures CC BY 4.0, code MIT"
extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "image/png", 5), ("html", "text/plain", 90)]
suppress_warnings = ["mystnb.unknown_mime_type", "mystnb.mime_priority"]
mathjax_path = "mathjax.js"
mathjax3_config = {"tex": {"inlineMath": [["\\\\(", "\\\\)"]], "displayMath": [["\\\\[", "\\\\]"]]}}
html_theme = "furo"
html_title = "Normalizing flows"
html_static_path = ["static"]
html_extra_path = ["extra"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
"""

# A blue cloud and a vermilion one: z and x.
ICON = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="11" cy="16" r="9" fill="#0072B2"/>\
<path d="M14 22a9 9 0 0 1 14-9 9 9 0 0 0-14 9z" fill="#D55E00"/></svg>
"""

CSS = """\
/* Figures are drawn on white; in dark mode they keep it, so their colours mean the same. */
.cell_output img, article img { background: #ffffff; border-radius: 4px; }
div.cell_input { border-left: 3px solid #0072b2; }
"""


def make_site(root: Path) -> Path:
    """Build .build/site and return its first page.

    Raises:
        CourseError: there is no lesson, a link leads nowhere, or a picture has no words.
    """
    if not any((root / "lessons").glob("*/lesson.ipynb")):
        raise CourseError("There is no lesson to make a site of.")
    source, target = root / ".build" / "site-source", root / ".build" / "site"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    _write_source(root, source)
    # Sphinx changes the process it runs in (warnings, locale), so it gets one of its own.
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-b",
        "html",
        "-W",
        "--keep-going",
        str(source),
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CourseError(
            f"The site has faults:\n{(done.stdout + done.stderr).replace(str(source), 'lessons')}"
        )
    for page in target.rglob("*.html"):
        page.write_text(_accessible(page.read_text(encoding="utf-8")), encoding="utf-8")
    return target / "index.html"


def _accessible(page: str) -> str:
    """What the theme leaves out: levels of headings, and code that scrolls by keyboard."""
    page = page.replace(
        '<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'
    )
    page = page.replace(
        '<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="Course">'
    )
    page = page.replace('<aside class="toc-drawer', '<aside aria-label="Page" class="toc-drawer')
    return page.replace("<pre>", '<pre tabindex="0">')


def _write_source(root: Path, source: Path) -> None:
    (source / "static").mkdir(parents=True)
    (source / "extra").mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "static" / "site.css").write_text(CSS)
    (source / "static" / "icon.svg").write_text(ICON)
    shutil.copy(root / "assets" / "web" / "mathjax.js", source / "static")
    if (root / "assets" / CHEAT_SHEET).is_file():
        shutil.copy(root / "assets" / CHEAT_SHEET, source / "extra")
    pictures = root / "assets" / "figures"  # what else lies there would become pages
    shutil.copytree(pictures, source / "assets" / "figures", ignore=shutil.ignore_patterns("*.md", "*.py"))
    pages = {
        f"lessons/{lesson}/{kind}": root / "lessons" / lesson / f"{kind}.ipynb"
        for lesson in lesson_names(root)
        for kind in KINDS
        if (root / "lessons" / lesson / f"{kind}.ipynb").is_file()
    }
    equations = {
        tag: page
        for page, path in pages.items()
        if page.endswith("/lesson")
        for cell in read_notebook(path)["cells"]
        if cell["cell_type"] == "markdown"
        for tag in TAG.findall(text(cell))
    }
    code: set[str] = set()
    for page, path in pages.items():
        notebook = read_notebook(path)
        _prepare(notebook["cells"], page, root, path, equations, code)
        target = source / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(notebook), encoding="utf-8")
    for name in sorted(code):
        page = source / "code" / f"{Path(name).stem}.md"
        page.parent.mkdir(exist_ok=True)
        shutil.copy(root / name, page.with_name(Path(name).name + ".txt"))
        page.write_text(
            f"# {name}\n\n```{{literalinclude}} {Path(name).name}.txt\n:language: python\n:linenos:\n```\n"
        )
    (source / "index.md").write_text(_index(root, pages, sorted(code)), encoding="utf-8")


def _prepare(cells: list[dict], page: str, root: Path, path: Path, equations: dict, code: set[str]) -> None:
    """Words for figures, targets for equations, links for citations; all in place."""
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            cell["metadata"] = {"mystnb": {"image": {"alt": words_for_figure(cells, index)}}}
            cell["outputs"] = [
                output for output in cell["outputs"] if "widget-view" not in json.dumps(output)
            ]
            continue
        if cell["cell_type"] != "markdown":
            continue
        cell["metadata"] = {}
        content = text(cell)
        if "![](" in content or re.search(r"<img(?![^>]*alt=)", content):
            raise CourseError(
                f"{path.relative_to(root)}, cell {cell.get('id', index)}: a picture has no words (alt text)."
            )
        content = _link_code(content, path, root, code)
        content = _link_citations(content, equations)
        cell["source"] = _mark_equations(content, page, equations)


def _mark_equations(content: str, page: str, equations: dict[str, str]) -> str:
    """Put a target before each numbered equation of this page."""

    def mark(found: re.Match) -> str:
        tags = [tag for tag in TAG.findall(found.group(0)) if equations.get(tag) == page]
        targets = "".join(f"({_name(tag)})=\n" for tag in tags)
        return f"\n\n{targets}{found.group(0)}\n\n" if targets else found.group(0)

    return re.sub(r"\$\$.*?\$\$", mark, content, flags=re.DOTALL)


def _link_citations(content: str, equations: dict[str, str]) -> str:
    """(1.2) in the text becomes a link to that equation, on whatever page it stands."""

    def link(found: re.Match) -> str:
        tag = found.group(1)
        return f"[({tag})](#{_name(tag)})" if tag in equations else found.group(0)

    return _in_prose(content, lambda prose: re.sub(r"(?<![\]\w])\((\d+\.\d+[a-z]?)\)", link, prose))


def _link_code(content: str, path: Path, root: Path, code: set[str]) -> str:
    """A link to a file of flowlib leads to a page that shows it."""

    def link(found: re.Match) -> str:
        target = (path.parent / found.group(2)).resolve()
        if target.suffix == ".py" and target.is_file() and target.is_relative_to(root / "flowlib"):
            code.add(str(target.relative_to(root)))
            return f"[{found.group(1)}](/code/{target.stem}.md)"
        return found.group(0)

    return _in_prose(content, lambda prose: re.sub(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)\)", link, prose))


def _in_prose(content: str, change) -> str:
    """Change what is neither a formula nor code. Links may hold code, so single backticks stay."""
    parts = re.split(f"({MATH.rsplit('|', 1)[0]})", content, flags=re.DOTALL)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _name(tag: str) -> str:
    return "eq-" + tag.replace(".", "-")


def _index(root: Path, pages: dict[str, Path], code: list[str]) -> str:
    lines = [
        "# Normalizing flows",
        "",
        "A course in notebooks, each with its figures and numbers as they were run.",
        "",
    ]
    if (root / "assets" / "figures" / "flow.png").is_file():
        words = "Points of a round cloud z are carried, layer by layer, to two half moons x."
        lines += [f"![{words}](assets/figures/flow.png)", ""]
    if (root / "assets" / CHEAT_SHEET).is_file():
        lines += [f'All of it on one page: the <a href="{CHEAT_SHEET}">cheat sheet</a>.', ""]
    lines += ["| lesson | demo | exercises |", "|-|-|-|"]
    lessons = sorted({page.split("/")[1] for page in pages})
    for lesson in lessons:
        mine = {page.split("/")[2]: page for page in pages if page.split("/")[1] == lesson}
        title = title_of(read_notebook(pages[next(iter(mine.values()))])["cells"])
        words = {"lesson": title, "demo": "for the lecture", "exercises": "to hand in"}
        row = [f"[{words[kind]}](/{mine[kind]}.ipynb)" if kind in mine else "" for kind in KINDS]
        lines.append("| " + " | ".join(row) + " |")
    for lesson in lessons:
        mine = [page for page in pages if page.split("/")[1] == lesson]
        lines += ["", "```{toctree}", ":hidden:", f":caption: Lesson {int(lesson[:2])}", ""]
        lines += [
            f"{KINDS[page.split('/')[2]] + ' <' + page + '>' if i else page}" for i, page in enumerate(mine)
        ]
        lines += ["```"]
    if code:
        lines += ["", "```{toctree}", ":hidden:", ":caption: flowlib", ""]
        lines += [f"code/{Path(name).stem}" for name in code] + ["```"]
    return "\n".join(lines) + "\n"
