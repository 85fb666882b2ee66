"""How the course makes HTML: tags stand in templates, words are escaped, and a changed theme is noticed."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from jinja2 import UndefinedError

from flowlib.course import edition
from flowlib.course.folders import CourseError
from flowlib.course.pages import reference, site, templates
from flowlib.course.pages.slides import make_slides
from flowlib.course.pages.web import replaced
from tests.conftest import HOUSE

COURSE = HOUSE / "flowlib" / "course"
PAGES = COURSE / "pages"
TAGS = (
    "a|aside|b|body|br|code|div|em|h[1-6]|head|html|i|img|li|main|ol|p|path|pre|script|section|span|style|svg"
)
TAG = re.compile(rf"</?(?:{TAGS}|table|td|th|title|tr|ul)(?:\s+[\w-]+=|\s*/?>)")
READERS = {
    "grading/clean.py": "it hands words in tags to the cleaner",
    "pages/site.py": "it says which tags of the theme it replaces",
}
DOT = "../../assets/figures/dot.png"
HOSTILE = "<script>alert('x')</script> & \"</style>"


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string of a module but its docstrings, with its line; a hole of an f-string is a 1."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "1" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def modules() -> dict[str, ast.Module]:
    """The modules of the course by their path in it, parsed."""
    return {
        path.relative_to(COURSE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(COURSE.rglob("*.py"))
    }


def test_the_search_for_tags_finds_them():
    code = "f(f'<h{level}>', \"<p class='x'>\", '<br>' + x, f'<a href={x}>')"
    assert sum(bool(TAG.search(words)) for _, words in strings(ast.parse(code))) >= 4
    harmless = '"""<p>"""\nf("<student>", f"<a student\'s {x}>", "a < b > c", "<!-- end -->")'
    assert not [words for _, words in strings(ast.parse(harmless)) if TAG.search(words)]


def test_no_html_in_code():
    found = {
        name: [at for at, words in strings(tree) if TAG.search(words)] for name, tree in modules().items()
    }
    assert {name for name, lines in found.items() if lines} == set(READERS), found


def test_nothing_is_escaped_by_hand():
    """Reading HTML takes html.unescape; writing it is what templates are for."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert "html" not in [alias.name for alias in node.names], f"{name} imports html"
            if isinstance(node, ast.ImportFrom) and node.module == "html":
                assert [alias.name for alias in node.names] == ["unescape"], f"{name} escapes by hand"


def test_markup_is_made_where_words_become_harmless_and_nowhere_else():
    made = [
        (name, function.name)
        for name, tree in modules().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Markup"
    ]
    assert made == [("grading/clean.py", "cleaned"), ("pages/templates.py", "coloured")]
    safe = {
        (path.name, value)
        for path in (PAGES / "templates").iterdir()
        for value in re.findall(r"\{\{[-+]? *([^{}]*?)\s*\|\s*safe\b", path.read_text(encoding="utf-8"))
    }
    own = {"piece.content", "slide.heading", "reveal_css", "reveal_js", "mathjax_js"}  # a demo, and scripts
    own |= {"live_css", "live_data", "script"}
    markdown = {("index.md", "words"), ("further-reading.md", "words")}  # the lessons' own, read by Sphinx
    playground = {("playground.html", value) for value in ("data", "script", "style")}  # numbers, and files
    slides = {("slides.html", value) for value in own}
    assert safe == markdown | playground | slides | {("page.html", "colours")}
    assert not [
        path.name
        for path in (PAGES / "templates").iterdir()
        if re.search(r"autoescape|\b(Markup|forceescape|xmlattr|tojson)\b", path.read_text(encoding="utf-8"))
    ]


def test_words_are_escaped_in_every_kind_of_template():
    for name, values in {
        "code.md": {"name": HOSTILE, "file": "a"},
        "report.html": {"assignment": HOSTILE, "numbers": {}},
    }.items():
        page = templates.render(name, **values)
        assert "<script" not in page and "&lt;script&gt;" in page


def test_code_is_escaped_whatever_its_length():
    for source in (HOSTILE, HOSTILE + " " * templates.LONGEST_IN_COLOUR):
        shown = templates.coloured(source)
        assert "<script" not in shown and "script" in shown


def test_a_value_that_was_forgotten_is_an_error():
    with pytest.raises(UndefinedError, match="assignment"):
        templates.render("report.html", numbers={})


@pytest.mark.parametrize("folder", ["templates", "static"])
def test_templates_travel_with_the_package_and_with_the_students_edition(folder):
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["setuptools"]["package-data"]["flowlib.course.pages"]
    files = [path for path in (PAGES / folder).iterdir() if path.is_file()]
    assert files
    for path in files:
        assert any(fnmatch.fnmatch(path.relative_to(PAGES).as_posix(), pattern) for pattern in shipped), path
        assert any(path in HOUSE.glob(pattern) for pattern in edition.COPIED), path


# ---------------------------------------------------------------------------- pages of others


def test_what_is_not_found_is_not_replaced_in_silence():
    assert replaced("<pre>a</pre><pre>b</pre>", "<pre>", "<pre class=c>").count("class") == 2
    with pytest.raises(CourseError, match=r"expected to hold '<pre>'.*'<pre class=c>'"):
        replaced("<pre id=a>", "<pre>", "<pre class=c>")


@pytest.fixture
def course(tmp_path) -> Path:
    """A course of one lesson, whose demo shows a picture."""
    shutil.copytree(HOUSE / "assets" / "web", tmp_path / "assets" / "web")
    (tmp_path / "assets" / "figures").mkdir()
    lesson = tmp_path / "lessons" / "01_tiny"
    lesson.mkdir(parents=True)
    (tmp_path / "assets" / "figures" / "dot.png").write_bytes(b"\x89PNG")
    for kind, words in (
        ("lesson", "# Tiny\n\n```python\nx = 1\n```"),
        ("demo", f"# Tiny\n\n![A dot.]({DOT})"),
    ):
        cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": words}]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (lesson / f"{kind}.ipynb").write_text(json.dumps(notebook))
    return tmp_path


def test_another_theme_is_refused_in_words(course, monkeypatch):
    """The theme that the course uses passes; of another the message says what is missing."""
    page = site.make_site(course).with_name("lessons") / "01_tiny" / "lesson.html"
    written = page.read_text(encoding="utf-8")
    assert '<pre tabindex="0">' in written and 'aria-level="2"' in written and "<pre>" not in written
    for part, theirs in (
        ('role="heading"', 'class="other"'),
        ("sidebar-drawer", "side"),
        ("toc-drawer", "toc"),
        ("<pre>", "<pre class='new'>"),
    ):
        theme = written.replace(' aria-level="2"', "").replace(' aria-label="Course"', "")
        theme = theme.replace('aria-label="Page" ', "").replace(' tabindex="0"', "")
        assert site.accessible(theme) == written
        with pytest.raises(CourseError, match="expected to hold"):
            site.accessible(theme.replace(part, theirs))
    monkeypatch.setattr(site, "CONF", site.CONF.replace('html_theme = "furo"', 'html_theme = "alabaster"'))
    with pytest.raises(CourseError, match="expected to hold"):
        site.make_site(course)


def test_a_picture_that_slides_cannot_hold_is_refused(course):
    demo = course / "lessons" / "01_tiny" / "demo.ipynb"
    assert 'src="data:image/png;base64,' in make_slides(course, "01_tiny").read_text(encoding="utf-8")
    demo.write_text(demo.read_text().replace(f"![A dot.]({DOT})", f"<img alt='A dot.' src='{DOT}'>"))
    with pytest.raises(CourseError, match="expected src="):
        make_slides(course, "01_tiny")
    demo.write_text(demo.read_text().replace(f"src='{DOT}'", 'src=\\"none.png\\"'))
    with pytest.raises(CourseError, match=r"does not exist: none\.png"):
        make_slides(course, "01_tiny")


# ---------------------------------------------------------------------------- the reference


def test_every_public_name_has_an_address():
    known = reference.addresses(HOUSE)
    for module, tree in reference.modules(HOUSE).items():
        own = reference.own(tree, module)
        assert set(reference.public(tree)) <= {*own, *known}, module
        assert all(known.get(name, address) == address for name, address in own.items())
    assert known["Coupling"] == "flowlib.coupling.Coupling"
    assert known["COLORS"] == "flowlib.drawing.COLORS", "plots only passes it on"
    assert "Split" not in known, "data and image each have one"
    assert {"Flow", "fit"} <= set(reference.most_used(HOUSE)) and "two_moons" not in reference.most_used(
        HOUSE
    )


def test_a_docstring_means_in_rst_what_it_says():
    words = "log |det dz/dx| of (batch, *event), **more and x_ by `fit`, `a_ * b`"
    assert reference.as_rst(words, {"fit": "flowlib.training.fit"}) == (
        r"log \|det dz/dx\| of (batch, \*event), \*\*more and x\_ by "
        ":py:obj:`fit <flowlib.training.fit>`, ``a_ * b``"
    )
    assert reference.as_rst("two `MLP`s, `no`.", {}) == r"two ``MLP``\ s, ``no``."
    shown = "Example:\n    >>> 2 * 3  # `x_`\n    6\n\nA | b::\n\n    | c |\n\nd*"
    assert reference.as_rst(shown, {}) == shown.replace("A |", r"A \|").replace("d*", r"d\*")


def test_what_a_comment_says_of_a_constant():
    source = "# Not this.\n\n# In nats:\n# log 2.\nONE: float = 0.69\nTWO = ONE  # twice ONE\nBARE = 1\n"
    said = [reference.comment_on(name, source) for name in ("ONE", "TWO", "BARE", "NONE")]
    assert said == ["In nats:\nlog 2.", "twice ONE", "", ""]


def test_a_lesson_links_what_it_uses_for_the_first_time():
    def cell(kind, source):
        return {"cell_type": kind, "source": source}

    known = {"Coupling": "flowlib.coupling.Coupling", "fit": "flowlib.training.fit"}
    cells = [
        cell("markdown", "`fit`"),
        cell("code", "from flowlib import training\nfrom flowlib.coupling import Coupling as Layer"),
        cell("code", "%time f()"),
        cell("code", "fit = 1\nfit\nlayer = Layer(2)\ntraining.fit(layer)"),
        cell("code", "Layer(3)"),
    ]
    linked = reference.link_first_uses(cells, known)
    assert [c for c in linked if c in cells] == cells and len(linked) == len(cells) + 1
    assert linked[4]["source"].strip() == (
        "In the reference: {py:obj}`Coupling <flowlib.coupling.Coupling>`, "
        "{py:obj}`fit <flowlib.training.fit>`"
    )


def test_the_site_of_a_course_without_flowlib_has_no_reference(course):
    assert not site.make_site(course).with_name("reference").exists()


# ---------------------------------------------------------------------------- what starts folded


def test_answers_and_second_readings_start_folded(course):
    """Nothing is lost: what is folded is on the page, in its place, behind a word to click on."""
    for name in ("glossary.md", "cheatsheet.html"):
        shutil.copy(HOUSE / "assets" / name, course / "assets")
    words = {"output_type": "stream", "name": "stdout", "text": "measured 0.5\n"}
    code = {"cell_type": "code", "execution_count": 1, "source": "1", "outputs": [words]}
    folded = {"jupyter": {"outputs_hidden": True}}

    def said(content: str) -> dict:
        return {"cell_type": "markdown", "metadata": {}, "source": content}

    cells = [
        said("# Tiny\n\nA [nat](../../assets/glossary.md#nat), a [sheet](../../assets/cheatsheet.html)."),
        code | {"metadata": folded},
        code | {"metadata": {}},
        said("## Memory (second reading)\n\nFirst word."),
        code | {"metadata": {}},
        said("### Below\n\nSecond word."),
        said("## The end\n\n<details><summary>Hint</summary>\n\nLook at `x`.\n</details>\n\nThird word."),
    ]
    cells = [cell | {"id": f"cell-{place}"} for place, cell in enumerate(cells)]
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = {"cells": cells, "metadata": language, "nbformat": 4, "nbformat_minor": 5}
    (course / "lessons" / "01_tiny" / "lesson.ipynb").write_text(json.dumps(notebook))

    index = site.make_site(course)
    page = BeautifulSoup(
        index.with_name("lessons").joinpath("01_tiny", "lesson.html").read_text(), "html.parser"
    )
    folds = [fold for fold in page.find_all("details") if not fold.find_parent(class_="run-it")]
    assert [" ".join(fold.summary.text.split()) for fold in folds] == [
        "Show what came out Hide it", "Show this section", "Hint",
    ]  # fmt: skip
    answer, second, hint = folds
    assert answer.find(string=re.compile("measured")) and not any(fold.has_attr("open") for fold in folds)
    assert second.find_previous(["h1", "h2"]).text.startswith("Memory (second reading)")
    assert [bool(second.find(string=re.compile(w))) for w in ("First", "Second", "Third")] == [
        True,
        True,
        False,
    ]
    assert len(page.find_all(string=re.compile("measured"))) == 3 and hint.code.text == "x"
    for link in page.article.find_all("a", string=re.compile("nat|sheet")):
        target = (index.parent / "lessons" / "01_tiny" / link["href"].split("#")[0]).resolve()
        assert target.is_file(), link["href"]
    assert 'id="nat"' in index.with_name("glossary.html").read_text()
