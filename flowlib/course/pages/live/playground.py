"""The playground: one page with five flows on five targets, and broken flows to diagnose.

`assets/weights/playground.py` trains what is defined here. The scores are
computed here, everything else in the page itself.
"""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from flowlib import data as sets
from flowlib.assets import load_weights
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain, Inverse
from flowlib.continuous import Continuous, VelocityMLP
from flowlib.coupling import Coupling
from flowlib.course.pages import templates
from flowlib.course.pages.live.export import flow_spec
from flowlib.flow import Flow
from flowlib.models import CNF, MAF, NSF, PlanarFlow, RealNVP
from flowlib.nets import MLP
from flowlib.planar import Planar
from flowlib.scalar import AffineToZ

HERE = Path(__file__).parent
HIDDEN = (32, 32)  # widths of the nets
WINDOW = 4.0  # the page shows [-4, 4]²,
CELLS = 90  # and densities on this many cells along a side
HELD_OUT = 2_000  # points that the flows are scored on
LOWEST = -30.0  # log-densities below are drawn as this


@dataclass(frozen=True)
class Target:
    """A set of flowlib.data, moved and scaled to the window [-4, 4]² that z has too.

    Args:
        title: as the page calls it.
        draw: draw(n, seed) -> (n, 2), in the set's own units.
        log_density: its exact log-density there, (n, 2) -> (n,).
        centre, scale: x = scale · (own units - centre).
        parts: x on two parts of the set that do not touch, if it has such.
        whole: why it has no such parts, where it has none.
    """

    title: str
    draw: Callable[..., Tensor]
    log_density: Callable[[Tensor], Tensor]
    centre: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    parts: tuple[tuple[float, float], tuple[float, float]] | None = None
    whole: str = ""

    def sample(self, n: int, seed: int) -> Tensor:
        """Draws, (n, 2)."""
        return self.scale * (self.draw(n, seed=seed) - torch.tensor(self.centre))

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log-density in nats: (n, 2) -> (n,), -inf where there is none."""
        own = x.double() / self.scale + torch.tensor(self.centre)
        return self.log_density(own) - 2 * math.log(self.scale)


def along(curve: Tensor, shares: Tensor, noise: float) -> Callable[[Tensor], Tensor]:
    """The log-density of points spread over a curve, (m, 2), with these shares, and moved by normal noise.

    A sum over the curve's points, which lie closer together than the noise.
    """

    def log_density(x: Tensor) -> Tensor:
        weights = shares.log() - math.log(2 * math.pi * noise**2)
        squares = (torch.cdist(rows, curve).square() for rows in x.split(500))
        return torch.cat([(weights - square / (2 * noise**2)).logsumexp(1) for square in squares])

    return log_density


def moons_log_density(noise: float) -> Callable[[Tensor], Tensor]:
    angle = math.pi * (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    curve = torch.cat([upper, torch.tensor([1.0, 0.5]) - upper])
    return along(curve, torch.full((800,), 1 / 800, dtype=torch.float64), noise)


def spirals_log_density(noise: float) -> Callable[[Tensor], Tensor]:
    turn = ((torch.arange(800, dtype=torch.float64) + 0.5) / 800).sqrt()
    arm = 3 * turn[:, None] * torch.stack([(3 * math.pi * turn).cos(), (3 * math.pi * turn).sin()], 1)
    return along(torch.cat([arm, -arm]), torch.full((1600,), 1 / 1600, dtype=torch.float64), noise)


def rings_log_density(noise: float) -> Callable[[Tensor], Tensor]:
    angle = 2 * math.pi * torch.arange(400, dtype=torch.float64) / 400
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    shares = torch.tensor([1 / 6, 1 / 3, 1 / 2], dtype=torch.float64).repeat_interleave(400) / 400
    return along(torch.cat([circle, 2 * circle, 3 * circle]), shares, noise)


def checkerboard_log_density(x: Tensor) -> Tensor:
    """-log 32 on the dark squares, two units wide, of the board over [-4, 4]²."""
    column, row = (x.div(2).floor() + 2).unbind(1)
    dark = ((column + row) % 2 == 0) & (x.abs() < 4).all(1)
    return torch.where(dark, -sets.CHECKERBOARD_ENTROPY, -math.inf)


TARGETS = {
    "moons": Target(
        "two moons",
        lambda n, seed: sets.two_moons(n, seed=seed),
        moons_log_density(0.05),
        (0.5, 0.25),
        2.0,
        parts=((-1.0, 1.5), (1.0, -1.5)),
    ),
    "checkerboard": Target(
        "checkerboard",
        sets.checkerboard,
        checkerboard_log_density,
        scale=0.8,
        parts=((-0.8, -0.8), (0.8, 0.8)),
    ),
    "spirals": Target(
        "spirals", sets.spirals, spirals_log_density(0.1), whole="The two arms meet in the middle: no bridge."
    ),
    "banana": Target(
        "banana",
        sets.banana,
        sets.banana_log_prob,
        (2.5, 0.0),
        0.55,
        whole="It is one piece: no bridge.",
    ),
    "rings": Target(
        "rings",
        lambda n, seed: sets.rings(n, noise=0.1, seed=seed),
        rings_log_density(0.1),
        parts=((0.0, 1.0), (0.0, 2.0)),
    ),
}

TITLES = {  # on the button, and in full
    "planar": ("planar", "Planar flow"),
    "realnvp": ("RealNVP", "RealNVP: real-valued non-volume-preserving"),
    "nsf": ("NSF", "NSF: neural spline flow"),
    "maf": ("MAF", "MAF: masked autoregressive flow"),
    "cnf": ("CNF", "CNF: continuous normalizing flow"),
}
KINDS: dict[str, Callable[[], Flow]] = {
    "planar": lambda: PlanarFlow(2, 24, cheap="density"),
    "realnvp": lambda: RealNVP(2, 8, HIDDEN),
    "nsf": lambda: NSF(2, 4, HIDDEN),
    "maf": lambda: MAF(2, 6, HIDDEN),
    "cnf": lambda: CNF(2, HIDDEN, method="rk4", steps=8),
}


def without_turns() -> Flow:
    """A RealNVP whose mask is never turned: x₁ stays in every layer."""
    layers = [Coupling(2, "half", MLP(1, 2, HIDDEN), AffineToZ()) for _ in range(4)]
    return Flow(Chain(*layers), StandardNormal((2,)))


def one_step_each(flow: Flow) -> Flow:
    """A CNF as a chain of its solver's steps, so that each can be seen: the same map, step by step.

    A step of length h that starts at time t is a whole solve, from 0 to 1, of the velocity h·v(t + h·time).
    """
    whole, steps = flow.bijection, []
    assert isinstance(whole, Continuous) and isinstance(whole.net, VelocityMLP)
    h = 1 / whole.step_count
    for step in range(whole.step_count):
        net = copy.deepcopy(whole.net)
        first, *_, last = net.linears()
        with torch.no_grad():
            first.bias.add_(net.time, alpha=step * h)
            for numbers in (net.time, last.weight, last.bias):
                numbers.mul_(h)
        steps.append(Continuous(net, method=whole.method, steps=1))
    return Flow(Chain(*steps), flow.base)


def trained(name: str) -> Flow:
    """A flow of the playground by its name in the file of weights, such as "moons.planar"."""
    kind = name.split(".")[1]
    flow = KINDS[kind]() if kind in KINDS else without_turns()
    load_weights(flow, "playground", name)
    return one_step_each(flow) if kind == "cnf" else flow


def in_a_hurry() -> Flow:
    """The CNF of the rings, solved by two Euler steps."""
    flow = KINDS["cnf"]()
    load_weights(flow, "playground", "rings.cnf")
    solver = flow.bijection
    assert isinstance(solver, Continuous)
    solver.method, solver.step_count = "euler", 2
    return flow


def picture(layer: Bijection) -> dict:
    """What the page draws of a layer: the line on which nothing moves, what stays, or the order."""
    if isinstance(layer, Inverse) and isinstance(layer.bijection, Planar):
        planar = layer.bijection
        return {"line": [*planar.w.tolist(), planar.b.item()]}
    if isinstance(layer, Coupling):
        return {"stays": layer.mask.tolist().index(True)}
    if isinstance(layer, MaskedAutoregressive):
        return {"order": layer.order.tolist()}
    return {}


def packed(values: Tensor) -> str:
    """Numbers as a page takes them: float32, little endian, base64."""
    return base64.b64encode(values.detach().float().numpy().astype("<f4").tobytes()).decode()


def centres_of_cells() -> Tensor:
    """The middles of the cells along a side of the window, (CELLS,)."""
    return WINDOW * (2 * (torch.arange(CELLS, dtype=torch.float64) + 0.5) / CELLS - 1)


def shown(target: Target) -> dict:
    """A target for the page: held-out points, and the log-density of every cell."""
    x2, x1 = torch.meshgrid(centres_of_cells(), centres_of_cells(), indexing="ij")
    density = target.log_prob(torch.stack([x1.flatten(), x2.flatten()], 1))
    return {
        "title": target.title,
        "parts": target.parts,
        "whole": target.whole,
        "points": packed(target.sample(HELD_OUT, 2)),
        "density": packed(density.clamp(min=LOWEST)),
    }


def missed(flow: Flow, target: Target) -> dict:
    """Nats that a flow misses on held-out points: the mean of log p - log q, and its standard error."""
    points = target.sample(HELD_OUT, 2)
    with torch.no_grad():
        gaps = target.log_prob(points) - flow.log_prob(points.float())
    return {"mean": gaps.mean().item(), "error": (gaps.std() / HELD_OUT**0.5).item()}


def data() -> dict:
    """What the page draws from: targets, trained flows and what their layers look like."""
    flows = {f"{target}.{kind}": trained(f"{target}.{kind}") for target in TARGETS for kind in KINDS}
    return {
        "cells": CELLS,
        "lowest": LOWEST,
        "targets": {name: shown(target) for name, target in TARGETS.items()},
        "flows": TITLES,
        "specs": {name: flow_spec(flow) for name, flow in flows.items()},
        "missed": {name: missed(flow, TARGETS[name.split(".")[0]]) for name, flow in flows.items()},
        "layers": {
            name: [picture(layer) for _, layer in flow.bijection.steps()] for name, flow in flows.items()
        },
        "withoutTurns": flow_spec(trained("moons.without_turns")),
        "coarse": flow_spec(in_a_hurry()),
    }


def make_page(root: Path) -> str:
    """The playground as one page that needs nothing else."""
    scripts = [root / "assets" / "web" / "d3.js"]
    scripts += [
        HERE / f"{name}.js" for name in ("flow", "live", "travel", "marks", "stairs", "playground", "ward")
    ]
    return templates.render(
        "playground.html",
        styles=[(HERE / name).read_text(encoding="utf-8") for name in ("live.css", "playground.css")],
        scripts=[script.read_text(encoding="utf-8") for script in scripts],
        data=json.dumps(data(), separators=(",", ":")),
    )
