"""What the live figures of lesson 1 draw from: the stops of a training, and its points."""

from __future__ import annotations

from safetensors.torch import load_file
from torch.distributions import Beta

from flowlib import assets
from flowlib import data as sets
from flowlib.bijection import Inverse
from flowlib.course.pages.live.export import flow_spec, layer_spec
from flowlib.course.pages.live.figures import numbers
from flowlib.flow import Flow
from flowlib.scalar import MixtureCDF


def data() -> dict:
    saved = load_file(assets.asset("weights", "01_change_of_variables.safetensors"))
    cdf, stops = MixtureCDF(components=4), []
    for params in saved["params"]:
        cdf.params.data.copy_(params)
        stops.append(layer_spec(cdf, 1))
    return {
        "points": numbers(sets.two_gaussians(750, seed=0)),
        "stops": stops,  # one for each 20 steps
        "loss": numbers(saved["loss"]),
        "base": flow_spec(Flow(Inverse(cdf), Beta(2.0, 5.0)))["base"],
    }
