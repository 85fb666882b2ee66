"""Live figures without a browser: whose they are, their colours, their size."""

from __future__ import annotations

import itertools
import json
import re
import runpy

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from flowlib import assets, drawing
from flowlib import data as sets
from flowlib.course.folders import lesson_names
from flowlib.course.pages.live.figures import HERE, LIVE_CSS, data, figures
from flowlib.models import CNF
from tests.conftest import HOUSE

ALIVE = [name for name in lesson_names(HOUSE) if figures(name)]
MOST = 400_000  # characters of data a lesson


def test_every_lesson_with_a_demo_has_a_figure_for_each_of_its_sliders():
    for lesson in lesson_names(HOUSE):
        demo = HOUSE / "lessons" / lesson / "demo.ipynb"
        ids = {cell["id"] for cell in json.loads(demo.read_text(encoding="utf-8"))["cells"]}
        assert {name for name in ids if name.endswith("-slider")} <= figures(lesson) <= ids, lesson


@pytest.mark.parametrize("lesson", ALIVE)
def test_data_are_small_and_can_stand_in_a_script(lesson):
    script = data(lesson)
    assert len(script) < MOST
    assert "</" not in script and "NaN" not in script
    json.loads(script.removeprefix("Live.data = ").removesuffix(";").replace(r"<\/", "</"))


def test_colours_are_those_of_the_pictures():
    style = LIVE_CSS.read_text(encoding="utf-8").partition("}")[0]
    colours = dict(re.findall(r"--live-(\w+): (#\w+)", style))
    names = ("z", "x", "third", "fourth", "fifth", "sixth", "map")
    assert [colours[name].upper() for name in names] == drawing.CYCLE
    script = (HERE / "live.js").read_text(encoding="utf-8")
    for name, palette in (("mako", drawing.MAKO), ("vlag", drawing.VLAG)):
        written = re.findall(r"#\w{6}", re.search(rf"{name}: \[(.*?)\]", script, re.DOTALL).group(1))
        assert written == [to_hex(palette(place)) for place in np.linspace(0, 1, 12)], name


def test_scripts_ask_for_nothing():
    for script in HERE.glob("*.js"):
        words = script.read_text(encoding="utf-8")
        assert not re.search(
            r"\bfetch\(|XMLHttpRequest|https?://|^import |^export |</script", words, re.MULTILINE
        )


@torch.no_grad()
def test_what_was_computed_beforehand_is_what_the_flows_say():
    """One row of each table that lessons 5 and 7 keep for their figures."""
    glow = runpy.run_path(str(HOUSE / "assets" / "results" / "05_glow_live.py"))
    for table, place in (("temperatures", 14), ("alone", 3)):
        kept = assets.read_results("05_glow_live", table)[place]
        again = next(itertools.islice(glow[table](), place, None))
        assert abs(kept.pop("bits") - again.pop("bits")) < 0.01
        assert kept == again
    x, flow = sets.shared_target().test[:1000], CNF(2, method="euler", steps=4)
    nll = -assets.load_weights(flow, "07_continuous", "straight").log_prob(x).mean().item()
    rows = assets.read_results("07_continuous_live", "solvers")
    kept = next(r for r in rows if (r["field"], r["method"], r["steps"]) == ("straight", "euler", 4))
    assert kept["nll"] == pytest.approx(nll, abs=1e-3)
