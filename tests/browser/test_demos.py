"""Demos in JupyterLab on a small laptop, the file browser open: all of a part can be seen at once."""

from __future__ import annotations

import pytest

from tests.browser.demos import Demo
from tests.browser.test_lab import DEMOS

pytestmark = pytest.mark.timeout(600)


def fits(page, lab, lesson):
    for name, _, below in Demo(page, lab, lesson).parts():
        assert below <= 0, f"{name} ends {below:.0f} pixels below the window"


@pytest.mark.parametrize("lesson", DEMOS[2:3])
def test_a_question_its_sliders_and_their_figure_fit(page, lab, lesson):
    """Lesson 3 has five sliders in one part."""
    fits(page, lab, lesson)
    assert page.locator(".jp-CodeCell .cm-content:visible").count() == 0, "a demo starts without code"
    notes = page.locator(".jp-MarkdownCell details", has_text="The point:").first
    notes.wait_for(state="attached")
    assert notes.get_attribute("open") is None, "what the speaker says starts folded"


@pytest.mark.soak
@pytest.mark.parametrize("lesson", DEMOS)
def test_every_demo_fits(page, lab, lesson):
    fits(page, lab, lesson)
