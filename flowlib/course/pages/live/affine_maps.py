"""What the live figures of lesson 2 draw from: a round cloud, the banana, and a stack that bends by hand."""

from __future__ import annotations

import torch

from flowlib import data as sets
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain
from flowlib.course.pages.live.export import flow_spec
from flowlib.course.pages.live.figures import numbers
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.scalar import LeakyReLU


def data() -> dict:
    layers: list[Bijection] = [
        Linear.from_matrix(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.1, 0.0]))
    ]
    for kink in (1.0, 3.0, 5.0):
        for side in (1.0, -1.0):
            layers += bend(kink, side)
    return {
        "draws": numbers(torch.randn(400, 2, generator=torch.Generator().manual_seed(0))),
        "banana": numbers(sets.banana(700, seed=0), 3),
        "entropy": sets.BANANA_ENTROPY,
        "flow": flow_spec(Flow(Chain(*layers), StandardNormal((2,)))),
    }


def bend(kink: float, side: float, s: float = 0.5, far: float = 30.0) -> list[Bijection]:
    """Five layers that slant what lies beyond `kink`, above (side 1) or below (-1), as in the lesson."""
    t = 1 / (1 - s)
    slant = Linear.from_matrix(torch.tensor([[1.0, t * side], [0.0, -side]]), torch.tensor([far, kink]))
    shear = Linear.from_matrix(torch.tensor([[1.0, t], [0.0, 1.0]]), torch.tensor([-t * kink, 0.0]))
    back = Linear.from_matrix(torch.tensor([[1.0, 0.0], [0.0, -side]]), torch.tensor([-far, side * kink]))
    return [slant, LeakyReLU(s), shear, LeakyReLU(1 / s), back]
