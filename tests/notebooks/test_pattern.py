"""The pattern of a lesson: the reader guesses and writes, the answers are folded, and the end can be used."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

from flowlib.course.exercises.exercise import text
from tests.conftest import HOUSE
from tests.notebooks.test_lessons import LESSONS, bound_names, cells, notebook, number, words

DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)


def path_of(lesson: str) -> str:
    return f"lessons/{lesson}/lesson.ipynb"


def tagged(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


def folded(cell: dict) -> bool:
    return bool(cell["metadata"].get("jupyter", {}).get("outputs_hidden"))


def first_reading(lesson: str) -> list[dict]:
    return [cell for cell in notebook(path_of(lesson))["cells"] if not tagged(cell, "second-reading")]


def read_words(some: list[dict]) -> int:
    """Words of the text itself: what is folded (hints, solutions, answers) is not counted."""
    return words(
        "\n\n".join(DETAILS.sub(" ", text(cell)) for cell in some if cell["cell_type"] == "markdown")
    )


def turns(lesson: str) -> list[int]:
    """Where the cells stand that are the reader's to write."""
    return [i for i, cell in enumerate(notebook(path_of(lesson))["cells"]) if tagged(cell, "your-turn")]


TURNS = [(lesson, place) for lesson in LESSONS for place in turns(lesson)]


# --- guesses ---------------------------------------------------------------------------------


def predictions(lesson: str) -> dict[str, tuple[int, str]]:
    """The name of each prediction -> the place of its cell, and the question."""
    found = {}
    for place, cell in enumerate(notebook(path_of(lesson))["cells"]):
        if cell["cell_type"] == "code":
            for node in ast.parse(text(cell)).body:
                called = (
                    node.value.func
                    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
                    else None
                )
                if isinstance(called, ast.Name) and called.id == "predict":
                    found[ast.unparse(node.targets[0])] = place, ast.literal_eval(node.value.args[0])
    return found


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_guess_is_set_beside_a_measured_answer_that_starts_folded(lesson):
    content = notebook(path_of(lesson))["cells"]
    guesses = predictions(lesson)
    assert len(guesses) >= 4, f"{len(guesses)} cells call predict(), of at least 4"
    for name, (place, question) in guesses.items():
        assert "guess=None" in text(content[place]), f"the guess of {name} is not the reader's"
        later = [
            i for i in range(place + 1, len(content))
            if content[i]["cell_type"] == "code" and f"{name}.compare(" in text(content[i])
        ]  # fmt: skip
        assert later, f"nothing is set beside the guess {name}"
        between = [c for c in content[place + 1 : later[0] + 1] if c["cell_type"] == "code" and c["outputs"]]
        assert all(map(folded, between)), f"the answer to {name} stands open under its question"
        first = "".join(content[later[0]]["outputs"][0].get("text", ""))
        assert first.startswith(question) or not first, (
            f"a folded output shows its first line: {name}.compare() comes before other prints"
        )
    shown = [cell for cell in content if cell["cell_type"] == "code" and folded(cell)]
    assert len(shown) >= 4, f"{len(shown)} cells have folded outputs (jupyter: outputs_hidden), of at least 4"
    assert not [c["id"] for c in shown if not c["outputs"]], "a fold with nothing in it"


@pytest.mark.parametrize("lesson", LESSONS)
def test_predictions_are_not_asked_in_prose_alone(lesson):
    """A question over its own open answer teaches nothing."""
    content = notebook(path_of(lesson))["cells"]
    for place, cell in enumerate(content):
        if cell["cell_type"] == "markdown" and re.search(r"\*\*Predict", text(cell)):
            after = next(c for c in content[place + 1 :] if c["cell_type"] == "code")
            assert "predict(" in text(after), f"cell {cell['id']} asks for a prediction that nothing takes"


# --- the reader's own lines -------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_reader_writes_early_and_often(lesson):
    content, places = notebook(path_of(lesson))["cells"], turns(lesson)
    assert len(places) >= 3, f"{len(places)} cells are the reader's to write (tag your-turn), of at least 3"
    assert places[0] < 12, "the first lines of the reader's own come within the first twelve cells"
    assert read_words(content[: places[0]]) <= 900, "at most 900 words stand above the first of them"
    for place in places:
        headings = re.findall(r"^#+ .*", text(content[place - 1]), re.MULTILINE)
        assert headings and "Your turn" in headings[-1], "a heading with the words: Your turn"
        folds = " ".join(DETAILS.findall(text(content[place + 1])))
        assert "<summary>Hint" in folds and "<summary>Solution" in folds


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_stands_above_the_first_turn_runs_at_once(lesson):
    above = [
        text(c) for c in notebook(path_of(lesson))["cells"][: turns(lesson)[0]] if c["cell_type"] == "code"
    ]
    clock = "import atexit, time; atexit.register(lambda: print('seconds', time.process_time()))"
    program = "\n".join(["import matplotlib; matplotlib.use('Agg')", clock, *above])
    folder = (HOUSE / path_of(lesson)).parent
    said = subprocess.check_output([sys.executable, "-c", program], cwd=folder, text=True, timeout=110)
    assert float(said.split()[-1]) < 30, "seconds of a processor"


def run_turn(lesson: str, place: int, own: str | None) -> str:
    """What a reader's cell prints after the first code cell alone; with `own` lines for the stub."""
    content = notebook(path_of(lesson))["cells"]
    setup = next(text(cell) for cell in content if cell["cell_type"] == "code")
    source = text(content[place])
    if own is not None:
        checks = [
            n for n in ast.parse(source).body if isinstance(n, ast.With) and "your_turn" in ast.unparse(n)
        ]
        assert len(checks) == 1, "one `with your_turn():` at the end of the cell"
        source = own + "\n" + "\n".join(source.split("\n")[checks[0].lineno - 1 :])
    names: dict = {"__name__": "lesson"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.chdir((HOUSE / path_of(lesson)).parent):
        exec(setup, names)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(source, names)
    plt.close("all")
    return said.getvalue()


def solution(lesson: str, place: int) -> str:
    below = text(notebook(path_of(lesson))["cells"][place + 1])
    fold = next(fold for fold in DETAILS.findall(below) if "<summary>Solution" in fold)
    return re.search(r"```python\n(.*?)```", fold, re.DOTALL)[1]


@pytest.mark.parametrize(("lesson", "place"), TURNS)
def test_a_stub_is_refused_in_words(lesson, place):
    said = run_turn(lesson, place, None)
    assert said.rstrip().split("\n")[-1].startswith("yours to write:")
    assert len(said.split("yours to write:")[1].split()) >= 3, "say what is to be written"


@pytest.mark.parametrize(("lesson", "place"), TURNS)
def test_the_folded_solution_is_right_and_short(lesson, place):
    own = solution(lesson, place)
    assert run_turn(lesson, place, own).rstrip().split("\n")[-1] == "right"
    lines = [
        line for line in own.split("\n")
        if line.strip() and not line.lstrip().startswith(("def ", "#", '"""'))
    ]  # fmt: skip
    assert 1 <= len(lines) <= 6


# --- length ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_first_and_second_reading_have_the_right_size(lesson):
    content = notebook(path_of(lesson))["cells"]
    second = [cell for cell in content if tagged(cell, "second-reading")]
    first, read = len(content) - len(second), read_words(first_reading(lesson))
    assert 35 <= first <= 60, f"{first} cells of first reading, of 35 to 60"
    assert 1800 <= read <= 3500, f"{read} words of first reading, of 1,800 to 3,500"
    assert len(second) <= 20, f"{len(second)} cells of second reading, of at most 20"
    assert read_words(second) <= 1500, f"{read_words(second)} words of second reading, of at most 1,500"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_second_reading_is_a_whole_section(lesson):
    """It can be folded: it starts with a heading and ends before one as high."""
    level = None
    for cell in notebook(path_of(lesson))["cells"]:
        headings = [
            (len(marks), title)
            for marks, title in re.findall(r"^(#+) (.*)", DETAILS.sub("", text(cell)), re.MULTILINE)
            if cell["cell_type"] == "markdown"
        ]
        if not tagged(cell, "second-reading"):
            assert level is None or (headings and headings[0][0] <= level), (
                f"{cell['id']} ends a section half way"
            )
            level = None
        elif level is None or (headings and headings[0][0] <= level):
            assert headings, f"{cell['id']} begins a second reading without a heading"
            level = headings[0][0]
            assert "second reading" in headings[0][1], f"the heading of {cell['id']} says so"


INNER = (
    ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
)


def binds_and_takes(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement of a cell binds there, and those that it takes from what ran before."""
    inner = [node for node in ast.walk(statement) if isinstance(node, INNER)]
    their_own = set().union(*(bound_names(part) for node in inner for part in ast.iter_child_nodes(node)))
    stored = {
        node.id
        for node in outside(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        stored.add(statement.name)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        stored |= {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    loaded = {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        loaded.add(statement.target.id)
    elif not isinstance(statement, ast.Assign | ast.AnnAssign):
        loaded -= stored  # what a loop or a with binds, its body uses
    return stored, loaded - their_own


def outside(node: ast.AST) -> list[ast.AST]:
    """The nodes of a statement that are not in a scope of their own."""
    if isinstance(node, INNER):
        return []
    return [node, *(found for child in ast.iter_child_nodes(node) for found in outside(child))]


def rebound(content: list[dict]) -> list[str]:
    """The names that a second reading takes from above, and that a first reading below binds anew."""
    known: set[str] = set()  # bound by a cell of first reading so far
    own: set[str] = set()  # bound by a cell of second reading so far
    taken: dict[str, str] = {}
    found = []
    for cell in content:
        for statement in ast.parse(text(cell)).body if cell["cell_type"] == "code" else ():
            binds, takes = binds_and_takes(statement)
            if tagged(cell, "second-reading"):
                taken |= {name: cell["id"] for name in takes & known - own if name not in taken}
                own |= binds
            else:
                found += [
                    f"{name} of {taken[name]}, in {cell['id']}" for name in sorted(binds & taken.keys())
                ]
                known |= binds
    return found


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_second_reading_may_come_last(lesson):
    """What it takes from the cells above it is still the same after all of the first reading."""
    strange = rebound(notebook(path_of(lesson))["cells"])
    assert not strange, "these names mean something else when the second reading is run at the end"


def test_a_name_bound_anew_is_found():
    def cell(name, source, *tags):
        return {"id": name, "cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}

    first = cell("data", "train, width = load(), 1\nk = 0")
    second = cell(
        "later", "found = [fit(train, k) for k in (1, 2)]\nwidth = 2\nprint(width)", "second-reading"
    )
    assert rebound([first, second, cell("clinic", "def train(x):\n    width = x\nwidth = k = 3")]) == [
        "train of later, in clinic"
    ]
    assert not rebound([first, second, cell("clinic", "def fit_all(x):\n    train = x")])


# --- the end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_end_has_questions_readings_and_the_way_on(lesson):
    content = [cell for cell in notebook(path_of(lesson))["cells"] if cell["cell_type"] == "markdown"]
    end = "\n\n".join(map(text, content[-3:]))
    for heading in ("Check yourself", "Further reading"):
        assert f"### {heading}" in end, f"no heading: {heading}"
    questions = end.split("Check yourself")[1].split("\n#")[0]
    asked = len(DETAILS.findall(questions))
    assert asked == 5, f"{asked} questions with folded answers under Check yourself, of 5"
    readings = re.split(r"\n#|\n\*\*", end.split("Further reading")[1])[0]
    items = re.findall(r"^(?:\d+\.|-) (.*)", readings, re.MULTILINE)
    assert len(items) >= 4, f"{len(items)} items under Further reading, of at least 4"
    assert all(8 <= len(item.split()) <= 45 for item in items), "what to read of it, and why"
    for target in ("demo.ipynb", "exercises.ipynb", "../../assets/cheatsheet.html"):
        assert f"]({target})" in end, f"no link to {target}"
    following = [name for name in LESSONS if int(name[:2]) == number(path_of(lesson)) + 1]
    for name in following:
        assert f"](../{name}/lesson.ipynb)" in end


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_moves(lesson):
    """A slider stands in the lesson, its still picture with words below it; so does the way to the demo."""
    content = notebook(path_of(lesson))["cells"]
    sliders = [i for i, c in enumerate(content) if c["cell_type"] == "code" and "interact(" in text(c)]
    assert sliders, "no cell calls widgets.interact: the demo's slider stands beside what it explains"
    for place in sliders:
        near = content[place - 1 : place + 4]
        assert any(c["cell_type"] == "code" and c["metadata"].get("alt") for c in near), "a still picture"


# --- numbers ---------------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.,/])[-−]?\d[\d,]*\.\d\d+(?![\w.]*\d)")
# Numbers of the prose that no output prints: set by a definition or an example, or of a source that is named.
GIVEN: dict[str, set[str]] = {
    # The published table, with its sources, and what its text subtracts.
    "05_glow": {"0.12", "0.21", "2.99", "3.08", "3.17", "3.28", "3.29", "3.69", "3.76", "3.81", "3.98"},
}


def numbers_in(prose: str) -> set[str]:
    """Numbers with two digits or more after the point, those of formulas too; equations' names are none."""
    prose = re.sub(r"\\tag\{[^}]*\}|\]\([^)]*\)|`[^`]*`|```.*?```", " ", prose, flags=re.DOTALL)
    return {found.lstrip("-−").replace(",", "") for found in NUMBER.findall(prose)}


def printed(lesson: str) -> str:
    """What the cells of a lesson print, their code and the words of their pictures."""
    pieces = []
    for cell in cells(path_of(lesson), "code"):
        pieces += [text(cell), cell["metadata"].get("alt", "")]
        for output in cell["outputs"]:
            pieces.append("".join(output.get("text", "")))
            pieces += ["".join(v) for k, v in output.get("data", {}).items() if k.startswith("text/")]
    return "\n".join(pieces).replace(",", "")


@pytest.mark.parametrize("lesson", [name for name in LESSONS if name in LESSONS or int(name[:2]) > 3])
def test_numbers_in_prose_are_printed_by_a_cell(lesson):
    shown = {float(found) for found in re.findall(r"\d+\.?\d*(?:e[-+]?\d+)?", printed(lesson))}
    prose = "\n\n".join(text(c).split("### References")[0] for c in cells(path_of(lesson), "markdown"))

    def stands(value: str) -> bool:
        digits = len(value.split(".")[1])
        return any(round(found, digits) == float(value) for found in shown)

    strange, given = {value for value in numbers_in(prose) if not stands(value)}, GIVEN.get(lesson, set())
    assert not strange - given, "these numbers stand in the prose and nowhere in what the lesson prints"
    assert not given - strange, "these exceptions are none any more"
