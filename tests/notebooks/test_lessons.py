"""What every lesson and demo keeps to: size, saved outputs, equations, notation, the order of the course."""

from __future__ import annotations

import ast
import functools
import json
import re
from pathlib import Path

import pytest

from flowlib.course.exercises.exercise import grade_id_of, text
from flowlib.course.folders import lesson_names
from tests.conftest import HOUSE

LESSONS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "lesson.ipynb").is_file()]
DEMOS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "demo.ipynb").is_file()]
SOURCES = [
    *(f"lessons/{name}/lesson.ipynb" for name in LESSONS),
    *(f"lessons/{name}/demo.ipynb" for name in DEMOS),
    *(str(path.relative_to(HOUSE)) for path in sorted(HOUSE.glob("solutions/*/exercises.ipynb"))),
]

# What the speaker says, folded where everybody sees the notebook.
FOLDED_NOTE = re.compile(r"<details><summary>For the speaker</summary>\n\n(.*)\n\n</details>")
# The lesson from which on a module, or a name in it, may be used.
INTRODUCED = {
    **dict.fromkeys(["bijection", "scalar", "base", "flow", "training", "data", "checks", "plots"], 1),
    **{"reader": 1, "pictures": 1, "assets": 1, "table": 2, "models": 3, "splines": 4},
    **{"linear": 2, "planar": 3, "nets": 4, "coupling": 4, "image": 5, "autoregressive": 6, "continuous": 7},
    **{"mixtures": 8, "targets": 8, "course": 1},
    **dict.fromkeys(["residual", "lipschitz", "memory", "volume"], 9),
}
INTRODUCED_NAMES = {
    **{"PlanarFlow": 3, "RadialFlow": 3, "RealNVP": 4, "Glow": 5, "MAF": 6, "IAF": 6, "CNF": 7, "NSF": 4},
    **{"SplineTransformer": 6, "MixtureCDFTransformer": 8, "ActNorm": 5, "UniformAngles": 8},
    **dict.fromkeys(["PiecewiseLinearTransformer", "PiecewiseQuadraticTransformer"], 8),
    **dict.fromkeys(["CircularSplineTransformer", "LogisticMixtureTransformer"], 8),
    **dict.fromkeys(["ResidualFlow", "Residual", "LipschitzMLP", "LipSwish", "Reversible"], 9),
    **dict.fromkeys(["AdditiveTransformer", "Henon"], 9),
}
# Other people's names for what this course calls log_det, forward, inverse, base.
FOREIGN = re.compile(
    r"^(log_?abs_?det.*|logdet.*|ldj|log_?jac(obian)?|log_det_j.*|fwd|bwd|inv|z_dim)$", re.IGNORECASE
)


@functools.cache
def notebook(path: str) -> dict:
    return json.loads((HOUSE / path).read_text(encoding="utf-8"))


def cells(path: str, kind: str) -> list[dict]:
    return [cell for cell in notebook(path)["cells"] if cell["cell_type"] == kind]


def number(path: str) -> int:
    return int(Path(path).parent.name[:2])


def prose(path: str) -> str:
    return "\n\n".join(text(cell) for cell in cells(path, "markdown"))


def words(markdown: str) -> int:
    """Words that are read: without formulas, links' addresses, code blocks and HTML tags."""
    for pattern in (
        r"```.*?```",
        r"\$\$.*?\$\$",
        r"\$[^$\n]*\$",
        r"\]\([^)]*\)",
        r"<[^>]+>",
        r"\\begin.*?\\end\{\w+\*?\}",
    ):
        markdown = re.sub(pattern, " ", markdown, flags=re.DOTALL)
    return len(re.findall(r"[A-Za-z0-9][\w'’-]*", markdown))


@pytest.mark.parametrize("path", SOURCES)
def test_code_cells_fit_on_a_screen(path):
    graded = 80  # test cells and model answers of exercises are not read on a screen
    for cell in cells(path, "code"):
        limit = graded if grade_id_of(cell) else 20
        lines = [line for line in text(cell).split("\n") if line.strip()]
        assert len(lines) <= limit, (
            f"cell {cell['id']} has {len(lines)} lines, at most {limit}:\n{text(cell)}"
        )


@pytest.mark.parametrize("path", SOURCES)
def test_notebook_is_clean(path):
    content = notebook(path)
    assert (content["nbformat"], content["nbformat_minor"]) >= (4, 5)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in content["metadata"], "saved widget state: clear it and save again"
    ids = [cell["id"] for cell in content["cells"]]
    assert len(ids) == len(set(ids))
    assert all(text(cell).strip() for cell in content["cells"]), "an empty cell"


@pytest.mark.parametrize("lesson", DEMOS)
def test_demos_can_be_read_from_the_back_row(lesson):
    """The smallest text of a figure, 8.5 points times the style's scale, has 18 points."""
    code = "\n".join(text(cell) for cell in cells(f"lessons/{lesson}/demo.ipynb", "code"))
    scales = [float(scale) for scale in re.findall(r"use_style\(([\d.]+)\)", code)]
    assert scales and 8.5 * min(scales) >= 18


@pytest.mark.parametrize("lesson", DEMOS)
def test_a_demo_asks_moves_answers_and_prompts_the_speaker(lesson):
    """Each part: question and live figure on one slide, the answer as a fragment, notes with minutes."""
    content = notebook(f"lessons/{lesson}/demo.ipynb")["cells"]
    kinds = {cell["id"]: cell["metadata"]["slideshow"]["slide_type"] for cell in content}
    texts = {cell["id"]: text(cell) for cell in content}
    order = list(kinds)
    parts = [name.removesuffix("-slider") for name in kinds if name.endswith("-slider")]
    assert parts
    for name in parts:
        mine = [name, f"{name}-slider", f"{name}-speaker", f"{name}-still-note", f"{name}-still"]
        assert [kinds[cell] for cell in mine] == ["slide", "-", "notes", "fragment", "skip"]
        assert sorted(mine, key=order.index) == mine
        assert "Ask first" in texts[name]
        assert words(texts[f"{name}-still-note"]) <= 60
    spoken = {name: FOLDED_NOTE.fullmatch(note)[1] for name, note in texts.items() if kinds[name] == "notes"}
    minutes = [int(note.split()[0]) for name, note in spoken.items() if name != "title-speaker"]
    assert all(re.match(r"\d+ minutes?\. The point: ", spoken[f"{name}-speaker"]) for name in parts)
    assert all(20 <= len(note.split()) <= 50 for note in spoken.values())
    assert f"**{sum(minutes) + 2} minutes** in all" in spoken["title-speaker"], (
        "2 for the first and last slide"
    )
    for cell in content:
        if cell["cell_type"] == "code":
            assert cell["metadata"]["jupyter"]["source_hidden"], f"cell {cell['id']} shows its source"


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.startswith("solutions")])
def test_outputs_are_saved_and_quiet(path):
    """Run from top to bottom, no warning, no error."""
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), "restart and run all"
    assert any(cell["outputs"] for cell in code)
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error" or "raises-exception" in cell["metadata"].get("tags", [])
            assert output.get("name") != "stderr", f"cell {cell['id']} writes to stderr: {output['text']}"


@pytest.mark.parametrize("path", SOURCES)
def test_pictures_have_words_and_live_here(path):
    content = prose(path)
    for alt, address in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", content):
        assert len(alt.split()) >= 3, f"picture {address} needs alt text that says what it shows"
        assert not address.startswith("http"), f"picture {address} comes from the network"
        if not address.startswith(("attachment:", "data:")):
            assert (HOUSE / path).parent.joinpath(address).resolve().is_file(), f"no such picture: {address}"
    for tag in re.findall(r"<img\b[^>]*>", content):
        assert re.search(r'alt="[^"]{10,}"', tag), f"{tag} needs alt text"


@pytest.mark.parametrize("path", SOURCES)
def test_links_between_files_lead_somewhere(path):
    for address in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", prose(path)):
        if not re.match(r"(https?:|mailto:|#)", address):
            target = (HOUSE / path).parent.joinpath(address.split("#")[0]).resolve()
            # A solution links as its released copy in lessons/ will stand.
            released = (HOUSE / "lessons" / Path(path).parent.name / address.split("#")[0]).resolve()
            assert target.exists() or released.exists(), f"no such file: {address}"


# "lesson 3", "Lessons 1 to 7", "lessons 4, 6 and 9", and folders such as lessons/08_name or ../08_name/.
NAMED = re.compile(r"\blessons?[\s\u00a0]+(\d+(?:(?:\s*(?:,|and|or|to|[-–])\s*)+\d+)*)\b", re.IGNORECASE)
FOLDER = re.compile(r"(?:lessons|solutions|\.\.)/(\d\d)_\w+")
PAGES = [*HOUSE.glob("*.md"), *HOUSE.glob("assets/*.md"), *HOUSE.glob("assets/*.html")]
ANSWERS = sorted(HOUSE.glob("solutions/*/answers/*.py"))


def pointed_at(prose: str) -> set[int]:
    """The numbers of the lessons that a text speaks of or links to."""
    named = {int(n) for found in NAMED.findall(prose) for n in re.findall(r"\d+", found)}
    return named | {int(found) for found in FOLDER.findall(prose)}


@pytest.mark.parametrize("path", [*SOURCES, *(str(p.relative_to(HOUSE)) for p in (*PAGES, *ANSWERS))])
def test_no_pointer_leads_to_a_lesson_that_does_not_exist(path):
    if path.endswith(".ipynb"):
        content = "\n".join(text(cell) for cell in notebook(path)["cells"])
    else:
        content = (HOUSE / path).read_text(encoding="utf-8")
    missing = pointed_at(content) - {int(name[:2]) for name in LESSONS}
    assert not missing, "these lessons do not exist"


def test_pointers_are_found():
    prose = "as in lesson 3, Lessons\n4, 6 and 11 or lesson 1–2's; ![](../08_splines/a.png) lessons/12_x/ 99"
    assert pointed_at(prose) == {1, 2, 3, 4, 6, 8, 11, 12}
    assert not pointed_at("a lesson of 35 cells; lessons; ../../assets/glossary.md")


def tags(path: str) -> list[str]:
    return re.findall(r"\\tag\{(\d+\.\d+[a-z]?)\}", prose(path))


@functools.cache
def all_tags() -> frozenset[str]:
    return frozenset(tag for name in LESSONS for tag in tags(f"lessons/{name}/lesson.ipynb"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_equations_are_numbered_and_computed(lesson):
    """Equations of lesson 3 are 3.1, 3.2, ... in order, and code marked `# (3.1)` computes each."""
    path = f"lessons/{lesson}/lesson.ipynb"
    found = tags(path)
    assert found
    plain = [tag for tag in found if tag[-1].isdigit()]
    assert plain == [f"{number(path)}.{k}" for k in range(1, len(plain) + 1)]
    code = "\n".join(text(cell) for cell in cells(path, "code"))
    computed = set(re.findall(r"\((\d+\.\d+[a-z]?)\)", "\n".join(re.findall(r"#.*", code))))
    assert not set(found) - computed, "no code marked # (n.m) computes these equations"


@pytest.mark.parametrize("path", SOURCES)
def test_cited_equations_exist(path):
    code = "\n".join("\n".join(re.findall(r"#.*", text(cell))) for cell in cells(path, "code"))
    cited = set(re.findall(r"\((\d+\.\d+[a-z]?)\)", code))
    cited |= set(
        re.findall(
            r"(?:equations?|eqs?\.?|and|by|from|in)\s+\((\d+\.\d+[a-z]?)\)", prose(path), re.IGNORECASE
        )
    )
    taught = {int(name[:2]) for name in LESSONS}
    mine = {tag for tag in cited if int(tag.split(".")[0]) in taught}
    assert not mine - all_tags(), "these equations stand in no lesson"


def trees(path: str) -> list[ast.Module]:
    found = []
    for cell in cells(path, "code"):
        source = text(cell)
        assert not re.search(r"^\s*[%!]", source, re.MULTILINE), f"cell {cell['id']} is not plain Python"
        found.append(ast.parse(source))
    return found


def bound_names(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize(
    "path", [*SOURCES, *sorted(str(p.relative_to(HOUSE)) for p in HOUSE.glob("flowlib/*.py"))]
)
def test_one_notation(path):
    """log_det, z, x, forward, inverse: no other word for what the course has a word for."""
    found = (
        trees(path) if path.endswith(".ipynb") else [ast.parse((HOUSE / path).read_text(encoding="utf-8"))]
    )
    foreign = sorted(name for tree in found for name in bound_names(tree) if FOREIGN.match(name))
    assert not foreign, "write log_det, forward, inverse"


@pytest.mark.parametrize("path", SOURCES)
def test_flowlib_is_used_after_it_is_introduced(path):
    lesson = number(path)
    for tree in trees(path):
        for node in ast.walk(tree):
            modules, names = [], []
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flowlib":
                names = [alias.name for alias in node.names]
                modules = node.module.split(".")[1:2] or [name for name in names if name in INTRODUCED]
            elif isinstance(node, ast.Import):
                modules = [a.name.split(".")[1] for a in node.names if a.name.startswith("flowlib.")]
            elif isinstance(node, ast.Attribute):
                names = [node.attr]
            for module in modules:
                assert module in INTRODUCED, f"flowlib.{module} has no lesson"
                assert INTRODUCED[module] <= lesson, f"flowlib.{module} comes in lesson {INTRODUCED[module]}"
            for name in names:
                first = INTRODUCED_NAMES.get(name, 0)
                assert first <= lesson, f"{name} comes in lesson {first}"


@pytest.mark.parametrize("path", SOURCES)
def test_nothing_is_private_or_from_the_network(path):
    """What kills courses: private functions of libraries, downloads, addresses in code."""
    for tree in trees(path):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert not any(part.startswith("_") for part in (node.module or "").split(".")), node.module
                assert not any(alias.name.startswith("_") for alias in node.names), ast.unparse(node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"https?://", node.value), f"an address in code: {node.value}"
            if isinstance(node, ast.keyword) and node.arg in ("download", "hub"):
                assert not (isinstance(node.value, ast.Constant) and node.value.value is True), "a download"
