"""The sliders of the demos: a stage shows what a new figure would show, wherever it has been before."""

from __future__ import annotations

import types

import matplotlib.pyplot as plt
import pytest

from flowlib.pictures import stage as module
from flowlib.pictures.stage import Picture, placed, stage
from tests.gpu.cells import find_lesson, parse, read_cells
from tests.notebooks.test_lessons import DEMOS

widgets = pytest.importorskip("ipywidgets")
# matplotlib and torch, between themselves
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def ends_of(control) -> list:
    """A few values of a widget, the ends of its range among them."""
    if isinstance(control, widgets.Checkbox):
        return [True, False]
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    if isinstance(control, widgets.FloatLogSlider):
        return [control.base**control.min, control.base**control.max]
    return [control.min, control.max]


def stages(lesson: str, monkeypatch) -> dict:
    """Run a demo: cell -> what its stage draws, its controls, and the widgets that it shows."""
    made: dict = {}

    def noted(draw, *, play=None, **controls):
        made[here] = draw, controls, stage(draw, play=play, **controls)
        return made[here][-1]

    monkeypatch.setattr(module, "stage", noted)
    namespace = types.ModuleType("__main__").__dict__ | {"__show__": lambda value: None}
    for cell in read_cells(find_lesson(lesson[:2], "demo")):
        here = cell.id
        if not cell.id.endswith(("-still", "-run")):
            exec(compile(parse(cell), cell.id, "exec"), namespace)
        plt.close("all")
    return made


@pytest.mark.parametrize("lesson", DEMOS)
def test_a_stage_shows_what_a_new_figure_would(lesson, monkeypatch):
    """Each control from end to end: no limit, tick, label or point of the drawing before is left."""
    for cell, (draw, controls, box) in stages(lesson, monkeypatch).items():
        row, image = box.children
        for control in row.children:
            if isinstance(control, widgets.Play):
                continue
            first = control.value
            for value in (*ends_of(control), first):
                control.value = value
                values = {name: one.value for name, one in controls.items()}
                assert image.value == Picture(draw).paint(**values), f"{cell}: {values}"


def line(height: float = 1.0, name: str = "x") -> None:
    (ax,) = placed(size=(2.0, 1.0), bottom=0.3)
    ax.plot([0, 1], [0, height], label=name)
    ax.legend()
    ax.set(xlabel=name, title=f"{height:.1f}")
    plt.show()


def test_a_picture_follows_its_data_and_labels():
    picture = Picture(line)
    seen = [picture.paint(height=1.0), picture.paint(height=5.0), picture.paint(height=5.0, name="z")]
    assert len(set(seen)) == 3
    assert seen[1] == Picture(line).paint(height=5.0)
    assert picture.paint(height=1.0) == seen[0]
    assert not plt.get_fignums(), "it is no figure of pyplot's: nothing shows it a second time"


def test_outside_a_stage_a_drawing_has_a_figure_of_its_own():
    line()
    line(2.0)
    assert len(plt.get_fignums()) == 2
    plt.close("all")


def test_a_play_button_walks_its_slider_to_the_end():
    slider = widgets.FloatSlider(3.0, min=-3, max=5, step=0.1)
    row, image = stage(line, play=("height", -2.5, 150), height=slider).children
    before = image.value
    row.children[0].value = row.children[0].max
    assert row.children[0].max == 55 and slider.value == pytest.approx(-2.5)
    assert image.value != before
    with pytest.raises(ZeroDivisionError):
        stage(lambda height: 1 / height, height=widgets.fixed(0))
    assert placed(size=(1, 1))[0].get_figure().number, "a drawing that failed leaves no figure behind"
    plt.close("all")
