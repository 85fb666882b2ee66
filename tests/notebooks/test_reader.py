"""A lesson and its reader: guesses beside answers, own lines tried at once, errors in a few lines."""

from __future__ import annotations

import math
import re
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from flowlib import checks
from flowlib.course.exercises.exercise import text
from flowlib.cures import EQUATIONS, cure_of
from flowlib.reader import pair, predict, your_turn
from tests.conftest import HOUSE
from tests.notebooks.test_lessons import LESSONS, notebook


@pytest.mark.parametrize(
    ("kind", "guess", "measured", "said"),
    [
        ("nats", None, 0.5, "measured 0.5 nats (you made no guess)"),
        ("nats", 0.1, 0.5, "you said 0.1; measured 0.5 nats"),
        ("", 2, torch.tensor(2.0), "you said 2: right"),
        ("times", 3, 1234.4, "you said 3; measured 1,200 times"),
        ("", 1e-7, 2.34e-7, "you said 1e-07; measured 2.3e-07"),
        (["up", "down"], "up", "down", "you said up; it is down"),
        (["up", "down"], "down", "down", "you said down: right"),
        (["up", "down"], None, "down", "it is down (you made no guess)"),
    ],
)
def test_a_guess_stands_beside_the_answer(kind, guess, measured, said, capsys):
    prediction = predict("What comes?", kind, guess=guess)
    capsys.readouterr()
    prediction.compare(measured)
    assert capsys.readouterr().out == f"What comes?\n{said}\n"


@pytest.mark.parametrize(
    ("kind", "guess", "words"),
    [("nats", "much", "must be a number"), (["up", "down"], "upp", "must be one of 'up', 'down'")],
)
def test_a_guess_that_is_none_is_refused(kind, guess, words):
    with pytest.raises((TypeError, ValueError), match=words):
        predict("What comes?", kind, guess=guess)


def test_what_the_reader_wrote_is_tried_and_the_lesson_goes_on(capsys):
    z = torch.linspace(-1, 1, 9, dtype=torch.float64)
    attempts = {
        "right": lambda z: (2 * z, torch.full_like(z, 2.0).log()),
        "not yet: check_log_det": lambda z: (2 * z, -torch.full_like(z, 2.0).log()),
        "not yet: IndexError": lambda z: (z[999], z),
        "not yet: a negative number has no logarithm": lambda z: (z, math.log(-2)),
    }
    for said, attempt in attempts.items():
        with your_turn():
            checks.check_log_det(attempt, z)
        assert capsys.readouterr().out.startswith(said)
    with your_turn(None):
        checks.check_log_det(None, z)
    assert capsys.readouterr().out == "yours to write: then run this cell again\n"
    with pytest.raises(KeyboardInterrupt), your_turn():
        raise KeyboardInterrupt


@pytest.mark.parametrize("answer", [(1, 2), [1, 2], torch.tensor([1, 2])])
def test_two_things_come_in_any_form(answer):
    assert pair(answer, "mu, alpha") == (1, 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "returns nothing: its last line says return mu, alpha"),
        (torch.tensor(1.0), "hand back two things: mu, alpha"),
        ((1, 2, 3), "hand back two things"),
        ((1, None), "hand back two things"),
        ("ab", "hand back two things"),
    ],
)
def test_what_is_not_two_things_is_refused_in_words(answer, said):
    with pytest.raises(AssertionError, match=said):
        pair(answer, "mu, alpha")


def test_a_lesson_says_what_to_read_again(capsys):
    for cure, equation in ((None, "1.4"), ("2.3", "2.3")):
        with your_turn(cure=cure):
            checks.check_value("log p", 1.0, 2.0, {"the sign of log|det A| is flipped": 1.0})
        said = capsys.readouterr().out
        assert said.endswith(f"flipped\nRead again: equation ({equation}) of lesson {equation[0]}\n")
    with your_turn(cure="2.3"):
        checks.check_value("log p", None, 2.0)
    assert "hands nothing back; write return" in capsys.readouterr().out
    for said, answer in (("right", 2.0), ("yours to write: then run this cell again", None)):
        with your_turn(answer, cure="2.3"):
            assert answer == 2.0
        assert capsys.readouterr().out == f"{said}\n", "nothing to read again"


def test_errors_in_a_notebook_are_a_few_lines():
    cells = [
        "from flowlib import checks\nfrom flowlib.reader import short_errors\nimport torch",
        "def forward(z):\n    return 2 * z, -torch.full_like(z, 2.0).log()\n"
        "checks.check_log_det(forward, torch.linspace(-1, 1, 9).double())",
        "short_errors()",
        "def test():\n    assert 1 == 2, 'one is not two'\ntest()",
        "1 / 0",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    folder = str(HOUSE / "lessons" / LESSONS[1])
    NotebookClient(book, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
    link, law = book.cells[1].outputs
    plain, other = (book.cells[i].outputs[0]["traceback"] for i in (3, 4))
    assert re.fullmatch(
        rf"Read again: \[equation \(1.4\) of lesson 1\]\(\.\./{LESSONS[0]}/lesson\.ipynb#cell-id=[\w-]+\)",
        link["data"]["text/markdown"],
    )
    assert len(law["traceback"]) == 2 and law["traceback"][0].startswith("LawBroken: check_log_det")
    assert "in line 3 of the cell" in law["traceback"][1]
    assert plain == [
        "AssertionError: one is not two",
        "in line 2 of the cell: assert 1 == 2, 'one is not two'",
    ]
    assert any("Traceback" in line for line in other), "any other error is shown whole"


@pytest.mark.parametrize(("words", "equation"), EQUATIONS.items())
def test_a_cure_stands_in_its_lesson_and_is_asked_for_by_a_law(words, equation, monkeypatch):
    lesson = next(name for name in LESSONS if int(name[:2]) == int(equation.split(".")[0]))
    assert any(f"\\tag{{{equation}}}" in text(c) for c in notebook(f"lessons/{lesson}/lesson.ipynb")["cells"])
    sources = [HOUSE / "flowlib" / f"{name}.py" for name in ("checks", "suspects", "answers", "subjects")]
    assert any(words in path.read_text(encoding="utf-8") for path in sources), "no law says this"
    monkeypatch.chdir(HOUSE / "lessons" / LESSONS[-1])
    said, address = cure_of(f"x. {words}")
    assert f"({equation})" in said
    file, _, cell = address.partition("#cell-id=")
    assert Path(file).is_file() and cell
