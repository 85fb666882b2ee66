"""What the live figures of lesson 1 draw from: the stops of a training, and its points."""

from __future__ import annotations

from safetensors.torch import load_file

from flowlib import assets
from flowlib import data as sets
from flowlib.course.pages.live.figures import numbers
from flowlib.scalar import MixtureCDF


def data() -> dict:
    saved = load_file(assets.asset("weights", "01_change_of_variables.safetensors"))
    layer, stops = MixtureCDF(components=4), []
    for params in saved["params"]:
        layer.params.data.copy_(params)
        weights, means, scales = layer.components()
        stops.append(
            {"weights": numbers(weights, 6), "means": numbers(means, 6), "scales": numbers(scales, 6)}
        )
    return {
        "points": numbers(sets.two_gaussians(750, seed=0)),
        "stops": stops,  # one for each 20 steps
        "loss": numbers(saved["loss"]),
    }
