"""What the live figures of lesson 3 draw from: two trained flows and their points."""

from __future__ import annotations

import torch

from flowlib import assets
from flowlib import data as sets
from flowlib.course.pages.live.export import flow_spec
from flowlib.course.pages.live.figures import numbers
from flowlib.models import PlanarFlow


def trained(name: str):
    return assets.load_weights(PlanarFlow(2, layers=32, cheap="density"), "03_planar_flows", name)


def data() -> dict:
    sine, moons = trained("noisy_sine"), trained("two_moons")
    lines = [(layer.bijection.w, layer.bijection.b) for layer in sine.bijection.layers]
    with torch.no_grad():
        ends, _ = moons.bijection.inverse(torch.tensor([[0.0, 1.0], [1.0, -0.5]]))
        home, _ = moons.bijection.inverse(sets.two_moons(500, seed=3))
    return {
        "cloud": numbers(0.9 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0)), 3),
        "sine": flow_spec(sine),
        "lines": [{"w": numbers(w, 6), "b": numbers(b, 6)[0]} for w, b in lines],
        "moons": flow_spec(moons),
        "ends": numbers(ends, 7),
        "home": numbers(home, 3),
    }
