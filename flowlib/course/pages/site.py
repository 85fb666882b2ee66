"""The course as web pages: every lesson with its outputs, search, links between equations, no network.

Notebooks are copied to .build/site-source, where equations become targets and what cites them
becomes links, and Sphinx with myst-nb makes the pages. A broken link or a picture without words
fails the build.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageSequence

from flowlib.course.exercises.exercise import text
from flowlib.course.exercises.released import is_edited
from flowlib.course.folders import CourseError, lesson_names
from flowlib.course.pages import front, reference, templates
from flowlib.course.pages.facts import facts_of, points_of
from flowlib.course.pages.live import figures as live
from flowlib.course.pages.live import playground
from flowlib.course.pages.web import MATH, read_notebook, replaced, words_for_figure

CHEAT_SHEET = "cheatsheet.html"
PLAYGROUND = "playground.html"
# Pages that are no lesson, and their files.
PAPERS = {
    "recipes": "assets/recipes.md",
    "derivatives": "assets/figures/derivatives.md",
    "changelog": "assets/changelog.md",
    "glossary": "assets/glossary.md",
}
STATIC = Path(__file__).parent / "static"  # what the site shows beside its pages
TAG = re.compile(r"\\tag\{(\d+\.\d+[a-z]?)\}")

CONF = """\
project = "Normalizing flows"
author = "The authors of the flow course"
copyright = "text and figures CC BY 4.0, code MIT"
extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
    "flowlib.course.pages.reference", "flowlib.course.pages.folds",
]
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_ivar = True
napoleon_use_rtype = False
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_code_prompt_show = "Show what came out"
nb_code_prompt_hide = "Hide it"
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
html_css_files = ["site.css", "live.css"]
html_js_files = ["search.js", "pictures.js", "progress.js"]
html_copy_source = False
html_show_sourcelink = False
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
        *map(str, (source, target)),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CourseError(
            f"The site has faults:\n{(done.stdout + done.stderr).replace(str(source), 'lessons')}"
        )
    for picture in target.glob("_images/*.gif"):
        _still(picture)
    for page in target.rglob("*.html"):
        if page.name not in (CHEAT_SHEET, PLAYGROUND):  # the others are the theme's
            page.write_text(accessible(page.read_text(encoding="utf-8")), encoding="utf-8")
    return target / "index.html"


def _still(picture: Path) -> None:
    """Save where an animation ends beside it, for readers who want nothing to move."""
    with Image.open(picture) as frames:
        last = ImageSequence.all_frames(frames)[-1]
        last.convert("RGB").save(picture.with_suffix(".png"))


def accessible(page: str) -> str:
    """A page of the theme with what it leaves out: levels of headings, code that scrolls by keyboard, and
    for each animation the still where it ends.

    Raises:
        CourseError: the theme writes its pages otherwise than it did.
    """
    caption = '<p class="caption" role="heading"'
    page = replaced(page, f"{caption}>", f'{caption} aria-level="2">')
    drawer = '<aside class="sidebar-drawer"'
    page = replaced(page, f"{drawer}>", f'{drawer} aria-label="Course">')
    page = replaced(page, '<aside class="toc-drawer', '<aside aria-label="Page" class="toc-drawer')
    # The words on a fold are its name; a label in other words hides them from who cannot see.
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    page = re.sub(
        r'<img [^>]*src="([^"]*_images/[^"]*)\.gif"[^>]*>',
        r'<picture><source media="(prefers-reduced-motion: reduce)" srcset="\1.png">\g<0></picture>',
        page,
    )
    return replaced(page, "<pre>", '<pre tabindex="0">') if "<pre" in page else page


def _write_source(root: Path, source: Path) -> None:
    (source / "extra").mkdir(parents=True)
    (source / "conf.py").write_text(CONF)
    shutil.copytree(STATIC, source / "static")
    shutil.copy(root / "assets" / "web" / "mathjax.js", source / "static")
    shutil.copy(live.LIVE_CSS, source / "static")
    if (root / "assets" / CHEAT_SHEET).is_file():
        shutil.copy(root / "assets" / CHEAT_SHEET, source / "extra")
    (source / "extra" / PLAYGROUND).write_text(playground.make_page(root), encoding="utf-8")
    pictures = root / "assets" / "figures"  # what else lies there would become pages
    shutil.copytree(pictures, source / "assets" / "figures", ignore=shutil.ignore_patterns("*.md", "*.py"))
    pages = {
        f"lessons/{lesson}/{kind}": root / "lessons" / lesson / f"{kind}.ipynb"
        for lesson in lesson_names(root)
        for kind in front.KINDS
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
    known = reference.most_used(root)
    points = {lesson: 0.0 for lesson in lesson_names(root)}
    prepared: dict[str, list[dict]] = {}
    for page, path in pages.items():
        notebook = read_notebook(path)
        notebook["cells"] = [cell for cell in notebook["cells"] if not _for_the_speaker(cell)]
        _, lesson, kind = page.split("/")
        if kind == "exercises":
            points[lesson] = points_of(notebook)
            _refuse_edited(path, root)
        _prepare(notebook["cells"], page, root, path, equations, code)
        prepared[page] = copy.deepcopy(notebook["cells"])
        notebook["cells"] += live.put_into(notebook["cells"], lesson, root, source / "static")
        if kind == "lesson":
            notebook["cells"] = reference.link_first_uses(notebook["cells"], known)
        front.add_run_it(notebook["cells"][0], f"{page}.ipynb")
        if kind != "demo":
            notebook["cells"].append(front.progress(lesson, kind, points[lesson]))
        target = source / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(notebook), encoding="utf-8")
    for name in sorted(code):
        shown = source / "code" / Path(name).name
        shown.parent.mkdir(exist_ok=True)
        shutil.copy(root / name, f"{shown}.txt")
        shown.with_suffix(".md").write_text(templates.render("code.md", name=name, file=shown.name))
    papers = {name: root / file for name, file in PAPERS.items() if (root / file).is_file()}
    for name, file in papers.items():
        shutil.copy(file, source / f"{name}.md")
    facts = {
        lesson: facts_of(
            prepared.get(f"lessons/{lesson}/lesson", ()), prepared.get(f"lessons/{lesson}/demo", ())
        )
        for lesson in {page.split("/")[1] for page in pages}
    }
    if any(mine.readings for mine in facts.values()):
        (source / f"{front.READINGS}.md").write_text(front.readings(facts), encoding="utf-8")
    index = front.index(
        facts,
        points,
        pages,
        papers,
        flow=(pictures / "flow.png").is_file(),
        cheat_sheet=_extra(source, CHEAT_SHEET),
        playground=_extra(source, PLAYGROUND),
        code=[Path(name).stem for name in sorted(code)],
        reference=reference.write(root, source, {Path(name).stem for name in code}),
    )
    (source / "index.md").write_text(index, encoding="utf-8")


def _for_the_speaker(cell: dict) -> bool:
    return cell["metadata"].get("slideshow", {}).get("slide_type") == "notes"


def _extra(source: Path, name: str) -> str | None:
    """The address of a page that is not the theme's, if it is there."""
    return name if (source / "extra" / name).is_file() else None


def _refuse_edited(exercises: Path, root: Path) -> None:
    """The instructors' site shows exercises as they were released, never somebody's answers."""
    if (root / "solutions").is_dir() and is_edited(exercises):
        raise CourseError(
            f"{exercises.relative_to(root)} holds what somebody typed, and the site would show it. To put it "
            f"back and keep a copy: flowcourse release {exercises.parent.name[:2]} --force"
        )


def _prepare(cells: list[dict], page: str, root: Path, path: Path, equations: dict, code: set[str]) -> None:
    """Words for figures, targets for equations, links for citations; all in place."""
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            hidden = cell["metadata"].get("jupyter", {})
            tags = {"hide-output": hidden.get("outputs_hidden"), "remove-input": hidden.get("source_hidden")}
            words = {"mystnb": {"image": {"alt": words_for_figure(cells, index)}}}
            cell["metadata"] = {**words, "tags": [tag for tag, asked in tags.items() if asked]}
            cell["outputs"] = [
                output
                for output in cell["outputs"]
                if "widget-view" not in json.dumps(output) and not page.endswith("/exercises")
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
        content = _link_files(content, path, root, code)
        content = _link_citations(content, equations)
        cell["source"] = _mark_equations(content, page, equations)


def _mark_equations(content: str, page: str, equations: dict[str, str]) -> str:
    """Put a target before each numbered equation of this page."""

    def mark(found: re.Match) -> str:
        tags = [tag for tag in TAG.findall(found.group(0)) if equations.get(tag) == page]
        targets = "".join(f"({_name(tag)})=\n" for tag in tags)
        formula = found.group(0)
        if targets and r"\\" in formula:  # Sphinx would wrap its lines into an environment that knows no tags
            formula = f"```{{math}}\n:nowrap:\n\n\\[\n{formula.strip('$').strip()}\n\\]\n```"
        return f"\n\n{targets}{formula}\n\n" if targets else formula

    return re.sub(r"\$\$.*?\$\$", mark, content, flags=re.DOTALL)


def _link_citations(content: str, equations: dict[str, str]) -> str:
    """(1.2) in the text becomes a link to that equation, on whatever page it stands."""

    def link(found: re.Match) -> str:
        tag = found.group(1)
        return f"[({tag})](#{_name(tag)})" if tag in equations else found.group(0)

    return _in_prose(content, lambda prose: re.sub(r"(?<![\]\w])\((\d+\.\d+[a-z]?)\)", link, prose))


def _link_files(content: str, path: Path, root: Path, code: set[str]) -> str:
    """A link to a file of flowlib leads to a page that shows it, one to a paper to its page."""

    def link(found: re.Match) -> str:
        address, _, place = found.group(2).partition("#")
        target = (path.parent / address).resolve()
        if target == root / "assets" / CHEAT_SHEET:  # no page of the theme's, so no link that it knows
            return templates.render("anchor.html", address=f"../../{CHEAT_SHEET}", words=found.group(1))
        for name, paper in PAPERS.items():
            if target == root / paper:
                return f"[{found.group(1)}](/{name}.md{'#' * bool(place)}{place})"
        if target.suffix == ".py" and target.is_file() and target.is_relative_to(root / "flowlib"):
            code.add(str(target.relative_to(root)))
            return f"[{found.group(1)}](/code/{target.stem}.md)"
        return found.group(0)

    return _in_prose(
        content, lambda prose: re.sub(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+(?:#[\w-]+)?)\)", link, prose)
    )


def _in_prose(content: str, change) -> str:
    """Change what is neither a formula nor code. Links may hold code, so single backticks stay."""
    parts = re.split(f"({MATH.rsplit('|', 1)[0]})", content, flags=re.DOTALL)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _name(tag: str) -> str:
    return "eq-" + tag.replace(".", "-")
