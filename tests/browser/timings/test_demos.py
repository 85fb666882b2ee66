"""How fast a demo's sliders answer in JupyterLab, from key to picture: nothing may run beside it."""

from __future__ import annotations

import pytest

from flowlib.course.folders import lesson_names
from tests.browser.demos import Demo
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(600)
ANSWER_MS = 150
DEMOS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "demo.ipynb").is_file()]
MEASURED = {"01": "affine-slider", "07": "drift-slider"}  # a small drawing and a large one


def check(page, lab, lesson: str, wanted: str) -> None:
    demo = Demo(page, lab, lesson)
    for name, slider, _ in demo.parts():
        if wanted in name:
            for label, took in demo.answers(slider).items():
                print(f"{lesson[:2]} {name:20} {label:14} {took:4.0f} ms")
                assert took <= ANSWER_MS, f"{name}, {label}: {took:.0f} ms"


@pytest.mark.parametrize("number", MEASURED)
def test_a_slider_answers_at_once(page, lab, number):
    check(page, lab, next(name for name in DEMOS if name.startswith(number)), MEASURED[number])


@pytest.mark.soak
@pytest.mark.parametrize("lesson", DEMOS)
def test_every_slider_answers_at_once(page, lab, lesson):
    check(page, lab, lesson, "-slider")
