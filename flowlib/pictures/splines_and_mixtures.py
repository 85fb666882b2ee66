"""The pictures of lesson 8: increasing curves and their densities, seeds as dots, tails, the torus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from flowlib import plots
from flowlib.drawing import Density, log_prob_1d
from flowlib.flow import Flow
from flowlib.pictures.autoregressive import densities
from flowlib.pictures.stage import placed, scale

__all__ = [
    "densities",
    "dots",
    "edge",
    "equal",
    "knot",
    "mixture",
    "pieces",
    "steps",
    "tails",
    "torus",
]

Rows = Sequence[Mapping]  # a table of assets/results


def _two(title_left: str, title_right: str) -> tuple[Axes, Axes]:
    """Axes for a curve and for the density that it makes, with room for the largest labels."""
    axes = placed(2, (5.8, 2.5), left=0.09, right=0.99, bottom=0.19, top=0.88, wspace=0.25)
    axes[0].set(xlabel="$x$", ylabel="$z$", title=title_left)
    axes[1].set(xlabel="$x$", ylabel="$p(x)$", title=title_right)
    return axes[0], axes[1]


def _normal(z: Tensor) -> Tensor:
    return (-0.5 * z**2).exp() / math.sqrt(2 * math.pi)


# --------------------------------------------------------------------------- straight pieces


def pieces(log_prob: Callable[[Tensor], Tensor], points: Tensor, count: int = 10, bound: float = 4.0) -> None:
    """The best straight pieces of equal width for some points: the curve, and its density, a histogram.

    Args:
        log_prob: of the target, which lives on [-bound, bound].
        points: from the target, (n,).
        count: the number of pieces.
    """
    edges = torch.linspace(-bound, bound, count + 1, dtype=torch.float64)
    shares = torch.histc(points.double(), count, -bound, bound) / len(points)  # count: maximum likelihood
    heights = shares * count / (2 * bound)
    grid = bound * (torch.arange(4000, dtype=torch.float64) + 0.5 - 2000) / 2000
    truth, place = log_prob(grid).exp(), torch.arange(4000) * count // 4000
    missing = 2 * bound * (truth * (truth / heights[place].clamp_min(1e-9)).log()).mean()
    left, right = _two("z as a function of x", f"{missing:.3f} nats missing")
    z = 2 * bound * torch.cat([shares.new_zeros(1), shares.cumsum(0)]) - bound
    left.plot(edges, z, "o-", color=plots.MAP_COLOR, ms=2.5 * scale(), lw=1.2 * scale())
    right.plot(grid, truth, color=plots.REFERENCE_COLOR, ls="--", lw=1.1 * scale())
    right.stairs(heights, edges, color=plots.X_COLOR, lw=1.7 * scale())
    right.set(ylim=(0, 1.15 * float(truth.max())))
    plt.show()


def steps(rows: Rows) -> None:
    """What curves of three kinds miss, against their number of pieces: a table `pieces` of assets/results."""
    ax = plots.new_axes(size=(4.6, 2.7))
    kinds = (
        ("linear", plots.MAP_COLOR, "s"),
        ("quadratic", plots.Z_COLOR, "D"),
        ("rational", plots.X_COLOR, "o"),
    )
    for kind, color, mark in kinds:
        mine = [row for row in rows if row["kind"] == kind]
        missing = [row["nll"] - row["entropy"] for row in mine]
        counts = [row["pieces"] for row in mine]
        ax.plot(counts, missing, mark + "-", color=color, ms=4 * scale(), label=kind)
    ticks = sorted({row["pieces"] for row in rows})
    ax.set(xscale="log", yscale="log", xlabel="pieces", ylabel="missing nats", xticks=ticks)
    ax.set_xticklabels([str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.legend()
    plt.show()


# --------------------------------------------------------------------------- curves


def knot(
    x: float = 0.5,
    z: float = -0.5,
    slope: float = 1.0,
    kind: str = "rational",
    *,
    ends: float = 1.0,
    bound: float = 3,
) -> None:
    """Two pieces that meet in a knot at (x, z), and the density of x that they make of a normal z.

    Args:
        x, z: where the knot stands in the square [-bound, bound]^2.
        slope: of the curve there; straight pieces have no choice.
        kind: "straight" or "rational" pieces.
        ends: slope at the two corners; outside, the curve is the line z = x.
    """
    grid = torch.linspace(-4, 4, 1601, dtype=torch.float64)
    corners = torch.tensor([[-bound, x, bound], [-bound, z, bound]], dtype=torch.float64)
    tilts = torch.tensor([ends, slope, ends])
    values, slopes = _through(grid, corners[0], corners[1], tilts, kind == "straight")
    left, right = _two("z as a function of x", "what it makes of a normal")
    left.plot(grid, values, color=plots.MAP_COLOR)
    left.plot(*corners, "o", color=plots.Z_COLOR, ms=4.5 * scale())
    if kind != "straight":
        tangent = torch.tensor([-0.9, 0.9]) / math.hypot(1, slope)
        left.plot(x + tangent, z + slope * tangent, color=plots.X_COLOR, lw=1.2 * scale())
    left.set(xlim=(-4, 4), ylim=(-4, 4), xticks=(-bound, 0, bound), yticks=(-bound, 0, bound))
    right.plot(grid, _normal(grid), color=plots.REFERENCE_COLOR, ls="--", lw=1.1 * scale())
    right.plot(grid, _normal(values) * slopes, color=plots.X_COLOR)
    right.set(xlim=(-4, 4), ylim=(0, 1.3), xticks=(-bound, 0, bound))
    plt.show()


def _through(x: Tensor, xk: Tensor, zk: Tensor, d: Tensor, straight: bool) -> tuple[Tensor, Tensor]:
    """z and dz/dx of straight pieces, (8.2), or of rational-quadratic ones, (8.4) and (8.5)."""
    k = (x[:, None] >= xk[1:-1]).sum(1)
    w, h, d0, d1 = xk.diff()[k], zk.diff()[k], d[k], d[k + 1]
    s, xi = h / w, (x - xk[k]) / w
    bow = xi * (1 - xi)
    bottom = s + (d0 + d1 - 2 * s) * bow
    r = xi if straight else (s * xi**2 + d0 * bow) / bottom
    slope = s if straight else s**2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2) / bottom**2
    inside = (x >= xk[0]) & (x <= xk[-1])
    return torch.where(inside, zk[k] + h * r, x), torch.where(inside, slope, 1.0)


def mixture(apart: float = 3.0, width: float = 0.5, share: float = 0.5) -> None:
    """The logit of the distribution function of two logistics, and the density it makes of a logistic z.

    Args:
        apart: distance of the two means.
        width: scale of both.
        share: weight of the left one.
    """
    grid = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    at = (grid[:, None] - torch.tensor([-apart / 2, apart / 2])) / width
    weight = torch.tensor([share, 1 - share], dtype=torch.float64)
    f = (weight * torch.sigmoid(at)).sum(1)
    g = (weight * torch.sigmoid(-at)).sum(1)  # 1 - F, without taking a difference
    density = (weight * torch.sigmoid(at) * torch.sigmoid(-at) / width).sum(1)
    left, right = _two("$z = $ logit $F(x)$", "logistic z (dashed) → x")
    left.plot(grid, f.log() - g.log(), color=plots.MAP_COLOR)
    left.set(xlim=(-6, 6), ylim=(-9, 9), xticks=(-5, 0, 5))
    right.plot(grid, torch.sigmoid(grid) * torch.sigmoid(-grid), color=plots.REFERENCE_COLOR, ls="--",
               lw=1.1 * scale())  # fmt: skip
    right.plot(grid, density, color=plots.X_COLOR)
    right.set(xlim=(-6, 6), xticks=(-5, 0, 5))
    right.set_ylim(bottom=0)
    plt.show()


# --------------------------------------------------------------------------- what was measured


def dots(rows: Rows, groups: Mapping[str, Mapping], value: str, xlabel: str) -> None:
    """One dot a training on a logarithmic axis, a line for each group of rows.

    Args:
        groups: name -> what the columns of its rows hold.
        value: the column to draw.
    """
    ax = plots.new_axes(size=(5.6, 0.65 + 0.27 * len(groups)))
    _dots(ax, rows, groups, value)
    ax.set(xscale="log", xlabel=xlabel)
    plt.show()


def equal(rows: Rows) -> None:
    """Held-out NLL of flows at equal parameters and at equal seconds, a panel for each target."""
    kinds = list(dict.fromkeys(row["target"] for row in rows))
    axes = plots.new_axes(1, len(kinds), size=(8.6, 2.4))
    for ax, target in zip(axes, kinds, strict=True):
        mine = [row for row in rows if row["target"] == target]
        pairs = dict.fromkeys((row["flow"], row["match"]) for row in mine)
        _dots(ax, mine, {f"{a}, equal {b}": {"flow": a, "match": b} for a, b in pairs}, "nll")
        ax.set(xlabel="NLL (nats)", title=target)
    axes[1].set_yticklabels(())
    plt.show()


def _dots(ax: Axes, rows: Rows, groups: Mapping[str, Mapping], value: str) -> None:
    for place, wanted in enumerate(reversed(list(groups.values()))):
        mine = [row[value] for row in rows if all(row[key] == wanted[key] for key in wanted)]
        ax.plot(mine, [place] * len(mine), "o", color=plots.X_COLOR, alpha=0.6, ms=5 * scale())
    ax.set(yticks=range(len(groups)), yticklabels=list(groups)[::-1])
    ax.set_ylim(-0.6, len(groups) - 0.4)
    ax.grid(axis="x", lw=0.4, color="#cccccc")


def tails(log_probs: Mapping[str, Callable[[Tensor], Tensor]], far: float) -> None:
    """Log-densities along the first axis, both axes logarithmic; the first one, the truth, dashed."""
    ax = plots.new_axes(size=(4.8, 2.9))
    grid = torch.logspace(-0.5, math.log10(far), 300)
    points = torch.stack([grid, torch.zeros_like(grid)], 1)
    styles = ((plots.REFERENCE_COLOR, "--"), (plots.Z_COLOR, "-"), (plots.X_COLOR, "-"))
    for (name, log_prob), (color, style) in zip(log_probs.items(), styles, strict=True):
        with torch.no_grad():
            ax.plot(grid, log_prob(points).double().cpu() / math.log(10), style, color=color, label=name)
    ax.set(xscale="log", xlabel="$x_1$, with $x_2 = 0$", ylabel="$\\log_{10} p(x)$", ylim=(-14, 0))
    ax.legend()
    plt.show()


def torus(panels: Mapping[str, Density]) -> None:
    """Densities of two angles from 0 to 2 pi, so that the seam at pi is in the middle.

    Args:
        panels: title -> flow, or log-density of angles in [-pi, pi].
    """
    axes = plots.new_axes(1, len(panels), size=(2.5 * len(panels), 2.6))
    ticks = {0: "0", math.pi: "$\\pm\\pi$", 2 * math.pi: "0"}
    for ax, (title, density) in zip(axes, panels.items(), strict=True):
        plots.density_map(_wrapped(density), (0, 2 * math.pi, 0, 2 * math.pi), title=title, ax=ax)
        ax.set(xlabel="angle $x_1$", ylabel="angle $x_2$", xticks=list(ticks), yticks=list(ticks))
        ax.set_xticklabels(ticks.values())
        ax.set_yticklabels(ticks.values())
    plt.show()


def _wrapped(density: Density) -> Callable[[Tensor], Tensor]:
    """log p of any angles, for a density of angles in [-pi, pi]; points on the CPU, wherever a flow is."""
    where = next(density.parameters()).device if isinstance(density, Flow) else torch.device("cpu")
    log_prob = density.log_prob if isinstance(density, Flow) else density

    def wrapped(points: Tensor) -> Tensor:
        inside = torch.remainder(points + math.pi, 2 * math.pi) - math.pi
        return log_prob(inside.float().to(where)).cpu()

    return wrapped


def edge(flows: Mapping[str, Flow], bound: float, reach: float = 1.5) -> None:
    """Densities of flows on the line around x = bound, where the square of their splines ends."""
    ax = plots.new_axes(size=(4.4, 2.5))
    grid = torch.linspace(bound - reach, bound + reach, 601)
    for (name, flow), color in zip(flows.items(), (plots.X_COLOR, plots.Z_COLOR), strict=True):
        ax.plot(grid, torch.as_tensor(log_prob_1d(flow, grid.numpy())).exp(), color=color, label=name)
    ax.axvline(bound, color=plots.REFERENCE_COLOR, ls="--", lw=1)
    ax.set(xlabel="$x$", ylabel="$p(x)$")
    ax.set_ylim(bottom=0)
    ax.legend()
    plt.show()
