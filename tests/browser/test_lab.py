"""JupyterLab as students and instructors see it."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import TimeoutError

from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import read_answers
from flowlib.course.folders import lesson_names
from tests.conftest import HOUSE
from tests.tiny import LESSON

pytestmark = pytest.mark.timeout(600)
# The figures that sliders draw stand in output widgets, those of plain cells do not.
FIGURES = "[...document.querySelectorAll('.jupyter-widgets img')].map(img => img.src).join()"
STARTED = "[...document.querySelectorAll('.jp-InputPrompt')].some(p => /[*\\d]/.test(p.innerText))"
DEMOS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "demo.ipynb").is_file()]


def open_notebook(page, lab, path):
    # Where something is run before the kernel is there, JupyterLab asks for one; take what it offers.
    take = page.get_by_role("button", name="Select", exact=True)
    page.add_locator_handler(page.get_by_text("Select kernel for:"), lambda: take.click())
    page.goto(lab.address(path))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=120_000)


def run_all(page, lab, path, seconds):
    """Run every cell, save until the last one has its number, and return the notebook."""
    for _ in range(5):  # JupyterLab drops what is run before the kernel is really there
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        try:
            page.wait_for_function(STARTED, timeout=15_000)
            break
        except TimeoutError:
            continue
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.locator(".jp-NotebookPanel").first.hover(trial=True)  # answers it if it asks for a kernel
        page.keyboard.press("Control+s")
        page.wait_for_timeout(2000)
        code = [cell for cell in lab.read(path)["cells"] if cell["cell_type"] == "code"]
        failed = [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
        assert not failed, failed[0]
        if all(cell["execution_count"] for cell in code):
            return lab.read(path)
    done = sum(bool(cell["execution_count"]) for cell in code)
    raise AssertionError(f"{path}: {done} of {len(code)} cells ended within {seconds} s")


def test_lesson_1_runs_and_shows_figures(page, lab):
    path = f"lessons/{lesson_names(HOUSE)[0]}/lesson.ipynb"
    open_notebook(page, lab, path)
    notebook = run_all(page, lab, path, 300)
    kinds = {
        kind for cell in notebook["cells"] for o in cell.get("outputs", []) for kind in o.get("data", {})
    }
    assert "image/png" in kinds
    assert page.locator(".jp-OutputArea img").count() > 0


@pytest.mark.parametrize("lesson", DEMOS[:1])
def test_a_slider_moves_the_figure(page, lab, lesson):
    path = f"lessons/{lesson}/demo.ipynb"
    open_notebook(page, lab, path)
    run_all(page, lab, path, 120)
    slider = page.locator(".noUi-handle").first
    slider.scroll_into_view_if_needed(timeout=60_000)
    page.wait_for_function(f"({FIGURES}).length > 0", timeout=60_000)
    before = page.evaluate(FIGURES)
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function(f"before => ({FIGURES}) != before", arg=before, timeout=60_000)


def answered(lab, name, sources):
    """A copy of the tiny exercise with answers in its cells."""
    notebook = lab.read(f"lessons/{LESSON}/exercises.ipynb")
    for cell in notebook["cells"]:
        source = sources.get(exercise.grade_id_of(cell))
        cell["source"] = source or cell["source"]
    path = f"lessons/{LESSON}/{name}.ipynb"
    (lab.root / path).write_text(json.dumps(notebook), encoding="utf-8")
    return path


def validate(page, lab, path) -> str:
    """Press nbgrader's Validate button; what its dialog says."""
    open_notebook(page, lab, path)
    page.get_by_text("Validate", exact=True).click()
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for(timeout=120_000)
    page.wait_for_function(
        "!document.querySelector('.jp-Dialog').innerText.includes('Validating')", timeout=120_000
    )
    return dialog.inner_text()


def test_validate_says_what_is_wrong_and_what_is_right(page, lab):
    solution = exercise.read(lab.root / "solutions" / LESSON / "exercises.ipynb")
    right = {task.grade_id: task.source for task in solution.tasks} | {
        "task3": "Density falls where space stretches."
    }
    wrong = next(a for a in read_answers(solution) if a.name == "wrong_task1_identity").source.strip()
    assert "x should be a times z" in validate(page, lab, answered(lab, "wrong", right | {"task1": wrong}))
    said = validate(page, lab, answered(lab, "right", right))
    assert "Success" in said, said


def test_formgrader_lists_the_assignments(page, lab):
    page.goto(f"{lab.base}/formgrader?token={lab.token}")
    page.get_by_text(LESSON).first.wait_for(timeout=60_000)


def words_at(equation: str) -> str:
    """The first words of the cell of lesson 1 that holds an equation."""
    cells = json.loads((HOUSE / "lessons" / lesson_names(HOUSE)[0] / "lesson.ipynb").read_text())["cells"]
    held = next(cell for cell in cells if f"\\tag{{{equation}}}" in exercise.text(cell))
    paragraph = next(p for p in exercise.text(held).split("\n\n") if re.match(r"\w", p))
    return re.match(r"[\w ]+", paragraph)[0]


def test_a_broken_law_is_short_an_answer_folded_and_a_word_explained(page, lab):
    """What a lesson relies on: three lines for an error and a way to its cure, a saved answer folded."""
    cells = [
        {"cell_type": "markdown", "source": "A [nat](../../assets/glossary.md#nat) is a unit."},
        {
            "cell_type": "code",
            "source": "print('How high?')\nprint('measured 0.5')",
            "metadata": {"jupyter": {"outputs_hidden": True}},
        },
        {"cell_type": "code", "source": "import torch\nfrom flowlib import checks"},
        {"cell_type": "code", "source": "checks.check_log_det(lambda z: (2 * z, z * 0), torch.ones(2))"},
    ]
    saved = {"output_type": "stream", "name": "stdout", "text": "How high?\nmeasured 0.5\n"}
    for place, cell in enumerate(cells):
        cell |= {"id": f"c{place}", "metadata": cell.get("metadata", {})}
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": [saved] if cell["metadata"] else []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = f"lessons/{lesson_names(HOUSE)[1]}/trial.ipynb"
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (lab.root / path).write_text(json.dumps(notebook), encoding="utf-8")
    open_notebook(page, lab, path)
    assert not page.get_by_text("measured 0.5", exact=True).is_visible()
    with pytest.raises(AssertionError, match="LawBroken"):
        run_all(page, lab, path, 120)
    error = page.locator(".jp-OutputArea-output", has_text="LawBroken")
    assert error.bounding_box()["height"] < 150, "not a screen full of frames"
    page.get_by_role("link", name="equation (1.4) of lesson 1").click()
    page.get_by_role("tab", name="lesson.ipynb").wait_for(timeout=60_000)
    page.locator(".jp-Cell", has_text=words_at("1.4")).first.wait_for(timeout=60_000)
    page.get_by_role("tab", name="trial.ipynb").click()
    page.get_by_role("link", name="nat", exact=True).click()
    page.locator(".jp-MarkdownViewer h2", has_text="nat").first.wait_for(timeout=60_000)
