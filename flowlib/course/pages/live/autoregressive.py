"""What the live figures of lesson 6 draw from: orders of variables, and one layer in both orders."""

from __future__ import annotations

import torch

from flowlib import assets
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.course.pages.live.export import flow_spec
from flowlib.flow import Flow
from flowlib.scalar import AffineTransformer


def one_layer(name: str, order: tuple[int, int]) -> Flow:
    flow = Flow(MaskedAutoregressive(2, (64, 64), AffineTransformer(), order=order), StandardNormal((2,)))
    assets.load_weights(flow, "06_autoregressive", name)
    return flow


def data() -> dict:
    shuffled = {
        n: torch.randperm(n, generator=torch.Generator().manual_seed(3)).tolist() for n in range(2, 10)
    }
    return {
        "places": shuffled,  # the place of each of n variables in another order
        "x₁ first": flow_spec(one_layer("banana_bad", (0, 1))),
        "x₂ first": flow_spec(one_layer("banana_good", (1, 0))),
    }
