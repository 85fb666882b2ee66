"""How fast flow.js carries 2,000 points, in headless Chromium: nothing may run beside it. Best of five."""

from __future__ import annotations

import json

import pytest
import torch

from flowlib.bijection import Chain, Inverse
from flowlib.course.pages.live.export import flow_spec
from flowlib.flow import Flow
from flowlib.models import CNF, IAF, MAF, NSF, PlanarFlow, RealNVP
from flowlib.planar import Planar
from flowlib.scalar import Affine, Elementwise, MixtureCDF
from flowlib.splines import SplineTransformer
from tests.conftest import HOUSE

POINTS = 2000
SMALL_MS, FLOW_MS = 50, 150
SCRIPT = HOUSE / "flowlib" / "course" / "pages" / "live" / "flow.js"
NORMAL = torch.distributions.Normal

SMALL = {
    "affine": lambda: Affine(1.0, 2.0),
    "planar": lambda: Planar(2),
    "planar, x to z in closed form": lambda: Inverse(Planar(2)),
    "mixture CDF": lambda: MixtureCDF(4, (1,)),
    "spline": lambda: Elementwise(SplineTransformer(8), (2,)),
}
FLOWS = {
    "RealNVP, 8 layers of 64 x 64": (lambda: RealNVP(2, 8, (64, 64)), FLOW_MS),
    "NSF": (lambda: NSF(2), FLOW_MS),
    "MAF": (lambda: MAF(2), FLOW_MS),
    "IAF": (lambda: IAF(2), FLOW_MS),
    "MAF of 7 variables": (lambda: MAF(7), FLOW_MS),
    "32 planar layers": (lambda: PlanarFlow(2, 32), FLOW_MS),
    "CNF, 8 steps of RK4": (lambda: CNF(2), None),  # figures draw a trajectory that was computed before
}

# Milliseconds of each direction; points of z, so that a mixture's inverse is asked in (0, 1).
TIME = """([spec, n]) => {
    const flow = Flow.build(JSON.parse(spec)), z = flow.base.sample(n, Flow.random(0));
    const best = (way, points) => {
        let least = Infinity;
        for (let turn = 0; turn < 5; turn++) {
            const started = performance.now();
            way(points, n);
            least = Math.min(least, performance.now() - started);
        }
        return least;
    };
    return [best(flow.forward, z), best(flow.inverse, flow.forward(z, n).points)];
}"""


def times(browser, name: str, flow: Flow) -> list[float]:
    page = browser.new_page()
    page.add_script_tag(path=SCRIPT)
    found = page.evaluate(TIME, [json.dumps(flow_spec(flow)), POINTS])
    page.close()
    print(f"{name}: z -> x {found[0]:.1f} ms, x -> z {found[1]:.1f} ms")
    return found


@pytest.mark.parametrize("name", SMALL)
def test_a_small_layer_answers_within_50_ms(browser, name):
    layer = SMALL[name]()
    flow = Flow(Chain(layer), NORMAL(torch.zeros(layer.event_shape or (2,)), 1.0))
    assert max(times(browser, name, flow)) < SMALL_MS


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_computed_anew_within_150_ms(browser, name):
    build, most = FLOWS[name]
    torch.manual_seed(0)
    found = times(browser, name, build())
    assert most is None or max(found) < most
