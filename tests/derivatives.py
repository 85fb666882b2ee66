"""Every model, small enough that all its derivatives can be taken."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from flowlib import CNF, IAF, MAF, NSF, Chain, Flow, Glow, Inverse, PlanarFlow, RadialFlow, RealNVP
from flowlib import StandardNormal as Normal
from flowlib.linear import Linear
from flowlib.planar import Sylvester
from flowlib.scalar import MixtureCDF, Sigmoid

# Smooth nets: a ReLU has kinks, across which differences say nothing about derivatives.
MODELS: dict[str, Callable[[], Flow]] = {
    "RealNVP": lambda: RealNVP(2, 2, 8, activation=nn.Tanh),
    "NSF": lambda: NSF(2, 2, 8, bins=3, activation=nn.Tanh),
    "MAF": lambda: MAF(2, 2, 8, activation=nn.Tanh),
    "MAF spline": lambda: MAF(2, 2, 8, transformer="spline", activation=nn.Tanh),
    "IAF": lambda: IAF(2, 2, 8, activation=nn.Tanh),
    "CNF": lambda: CNF(2, 8, steps=4),
    "Glow": lambda: Glow((1, 2, 2), 1, 1, 8),
    "PlanarFlow": lambda: PlanarFlow(2, 2),
    "PlanarFlow density": lambda: PlanarFlow(2, 2, "density"),
    "RadialFlow": lambda: RadialFlow(2, 2),
    "Sylvester": lambda: Flow(Sylvester(2), Normal(2)),
    "MixtureCDF": lambda: Flow(Chain(Inverse(Sigmoid()), MixtureCDF(3, (2,)), Inverse(Sigmoid())), Normal(2)),
    "Linear": lambda: Flow(Linear(2), Normal(2)),
}


def made(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> Flow:
    """A model whose every parameter has left its start, in evaluation mode."""
    torch.manual_seed(seed)
    flow = MODELS[name]()
    for parameter in flow.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return flow.to(dtype).eval()


def points(flow: Flow, n: int, seed: int = 0) -> torch.Tensor:
    """Data for a model of `MODELS`: inside (0, 1), which suits all of them."""
    draw = torch.rand(
        n, *flow.event_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return 0.1 + 0.8 * draw
