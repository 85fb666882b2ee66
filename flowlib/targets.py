"""Made-up targets with exact densities, for what a transformer can and cannot bend: steps, tails, angles.

As in `flowlib.data`: a function that draws takes `seed`, an int, and gives the same numbers for the same
seed, on the CPU, float32 unless `dtype` says otherwise; densities follow their argument.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import special, stats
from torch import Tensor

from flowlib.base import StudentT
from flowlib.data import seeded

__all__ = [
    "SKYLINE_EDGES", "SKYLINE_ENTROPY", "SKYLINE_SHARES", "TORUS_ENTROPY", "heavy_sine", "heavy_sine_entropy",
    "heavy_sine_log_prob", "skyline", "skyline_log_prob", "torus", "torus_log_prob",
]  # fmt: skip

# --------------------------------------------------------------------------- steps, one dimension

# Houses of unequal width and height. All edges are multiples of 0.2, so 40 equal pieces of [-4, 4] hold
# the density exactly; 10 do not.
SKYLINE_EDGES = (-4.0, -3.2, -2.6, -1.4, -1.0, -0.2, 0.6, 1.0, 2.2, 3.0, 4.0)
SKYLINE_SHARES = (0.04, 0.12, 0.06, 0.14, 0.05, 0.22, 0.02, 0.09, 0.20, 0.06)
_SHARE_AND_WIDTH = list(zip(SKYLINE_SHARES, np.diff(SKYLINE_EDGES).tolist(), strict=True))
SKYLINE_ENTROPY = -sum(share * math.log(share / width) for share, width in _SHARE_AND_WIDTH)


def skyline(n: int = 1000, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """A density of ten steps on [-4, 4], as a histogram has it. Shape (n,). Entropy: SKYLINE_ENTROPY."""
    generator = seeded(seed)
    shares, edges = (torch.tensor(values, dtype=dtype) for values in (SKYLINE_SHARES, SKYLINE_EDGES))
    house = torch.multinomial(shares, n, replacement=True, generator=generator)
    place = torch.rand(n, generator=generator, dtype=dtype)
    return edges[house] + (edges[house + 1] - edges[house]) * place


def skyline_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `skyline`, -inf outside [-4, 4]: (n,) -> (n,)."""
    edges = torch.tensor(SKYLINE_EDGES, dtype=x.dtype, device=x.device)
    heights = torch.tensor([math.log(share / width) for share, width in _SHARE_AND_WIDTH], dtype=x.dtype)
    house = (x.unsqueeze(-1) >= edges[1:-1]).sum(-1)
    return torch.where(x.abs() <= 4, heights.to(x.device)[house], -torch.inf)


# --------------------------------------------------------------------------- tails, two dimensions


def heavy_sine(n: int = 1000, df: float = 3.0, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """x₂ Student-t with `df` degrees of freedom, x₁ = 2 sin x₂ plus another such variable. Shape (n, 2).

    The sine bends the middle and is bounded: far out P(|x_i| > r) falls as r^-df along both axes, so the
    tail index of both is df. Moments from df on are infinite.
    """
    with torch.no_grad():
        t1, t2 = StudentT(2, df=df).to(dtype).sample(n, generator=seeded(seed)).unbind(1)
    return torch.stack([2 * t2.sin() + t1, t2], 1)


def heavy_sine_log_prob(x: Tensor, df: float = 3.0) -> Tensor:
    """The exact log-density of `heavy_sine`: (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    log_prob = torch.distributions.StudentT(df).log_prob
    return log_prob(x2) + log_prob(x1 - 2 * x2.sin())


def heavy_sine_entropy(df: float = 3.0) -> float:
    """The entropy of `heavy_sine` in nats: a shear keeps volumes, so twice that of Student's t."""
    return 2 * float(stats.t(df).entropy())


# --------------------------------------------------------------------------- angles, two dimensions

# How closely x₁ keeps to its mean direction, and x₂ to its own.
_KAPPA = (1.0, 6.0)


def torus(n: int = 1000, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Two angles in [-π, π): x₁ von Mises about π, x₂ von Mises about x₁ + sin x₁. Shape (n, 2).

    A band that goes round both circles, thickest at the corner, where a picture cuts them. Entropy:
    TORUS_ENTROPY.

    Source: Mardia & Jupp, 2000, "Directional Statistics", section 3.5.4, for the von Mises distribution;
    drawn by numpy, which follows Best & Fisher, 1979.
    """
    # numpy has the sampler; its seed is drawn so that only whole numbers will do as seeds here.
    draw = np.random.default_rng(int(torch.randint(2**62, (), generator=seeded(seed))))
    x1 = draw.vonmises(math.pi, _KAPPA[0], n)
    x2 = draw.vonmises(x1 + np.sin(x1), _KAPPA[1])
    return torch.from_numpy(np.remainder(np.stack([x1, x2], 1) + math.pi, 2 * math.pi) - math.pi).to(dtype)


def torus_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `torus`, the same for angles whole turns away: (n, 2) -> (n,).

    Its constant is that of two von Mises distributions, 2π I₀(κ) each.
    """
    x1, x2 = x.unbind(-1)
    energy = _KAPPA[0] * torch.cos(x1 - math.pi) + _KAPPA[1] * torch.cos(x2 - x1 - x1.sin())
    return energy - sum(math.log(2 * math.pi * special.i0(kappa)) for kappa in _KAPPA)


# H(x₁) + H(x₂ | x₁), each log 2π I₀(κ) - κ I₁(κ) / I₀(κ).
TORUS_ENTROPY = float(
    sum(
        math.log(2 * math.pi * special.i0(kappa)) - kappa * special.i1(kappa) / special.i0(kappa)
        for kappa in _KAPPA
    )
)
