"""The pictures of lesson 1: a normal that learns log prices, bands on their way from z to x, residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor
from torch.distributions import Normal

from flowlib import plots
from flowlib.pictures.stage import placed, scale

__all__ = [
    "affine",
    "clinic",
    "draw_step",
    "fit_frames",
    "fit_step",
    "gains",
    "level",
    "mixture",
    "qq_and_pit",
    "strips",
    "transport",
]

Rows = Sequence[Mapping[str, float]]  # a table of assets/results
GRID = torch.linspace(-8, 8, 801, dtype=torch.float64)
SHARES = (torch.arange(20, dtype=torch.float64) + 0.5) / 20


# --------------------------------------------------------------------------- a normal learns log prices


Stops = Sequence[tuple[float, float]]  # mu and sigma before each step of a training


def fit_frames(x: Tensor, stops: Stops, steps: Sequence[int]) -> None:
    """The density N(mu, sigma²) over a histogram of x, a panel for each of these steps."""
    axes = plots.new_axes(1, len(steps), size=(2.2 * len(steps), 2.2))
    for ax, step in zip(axes, steps, strict=True):
        _fit(x, stops, step, f"step {step}", ax)
    for ax in axes[1:]:
        ax.set(ylabel="", yticklabels=[])
    plt.show()


def fit_step(x: Tensor, stops: Stops, step: int) -> None:
    """Two panels at a step: x carried to z = (x - mu) / sigma under the base, and the density over x."""
    draw_step(plots.new_axes(1, 2, size=(6.6, 2.5)), x, stops, step)
    plt.show()


def draw_step(axes: Sequence[Axes], x: Tensor, stops: Stops, step: int) -> None:
    """The panels of `fit_step`, on axes that stand already."""
    mu, sigma = _at(stops, step)
    plots.density_1d(Normal(0.0, 1.0), -4, 4, samples=(x - mu) / sigma, kind="z", bins=64, ax=axes[0])
    axes[0].set(ylim=(0, 1.2), ylabel="density", title="houses carried to z, and the base")
    _fit(x, stops, step, f"step {step}: mu {mu:.2f}, sigma {sigma:.2f}", axes[1])


def _at(stops: Stops, step: int) -> tuple[float, float]:
    return stops[min(step, len(stops) - 1)]  # a training may have been cut short


def _fit(x: Tensor, stops: Stops, step: int, title: str, ax: Axes) -> None:
    plots.density_1d(Normal(*_at(stops, step)), 9.5, 14, samples=x, bins=60, ax=ax)
    ax.set(ylim=(0, 1.35), xlabel="$x$, log price", ylabel="density", title=title)


# --------------------------------------------------------------------------- probability keeps its area


def strips(p_z: Normal, p_x: Normal, strip_z: Tensor, strip_x: Tensor) -> None:
    """Two densities on axes of one scale, each with its strip shaded, and the strip's size above."""
    axes = plots.new_axes(1, 2, size=(6.4, 2.6))
    for ax, density, strip, kind in ((axes[0], p_z, strip_z, "z"), (axes[1], p_x, strip_x, "x")):
        centre = float(density.mean)
        plots.density_1d(density, centre - 2.6, centre + 2.6, kind=kind, ax=ax)
        inside = torch.linspace(float(strip[0]), float(strip[1]), 50)
        ax.fill_between(inside, density.log_prob(inside).exp(), color=plots.COLORS[kind], alpha=0.45, lw=0)
        width, height = float(strip.diff()), float(density.log_prob(strip.mean()).exp())
        ax.set_ylim(0, 2.2)
        ax.set_title(f"width {width:.1f} · height {height:.2f} = area {width * height:.3f}")
    plt.show()


def affine(a: float = 2.0, b: float = 0.0) -> None:
    """Twenty lines at equal shares of probability, carried by x = a z + b."""
    normal = Normal(0.0, 1.0)
    z_lines = torch.special.ndtri(SHARES)
    if abs(a) < 1e-9:
        p_x, title = torch.zeros_like(GRID), "a = 0: all z land on one x, nothing comes back"
    else:
        p_x = normal.log_prob((GRID - b) / a).exp() / abs(a)
        peak, log_det = 0.3989 / abs(a), math.log(abs(a))
        title = f"x = {a:.1f} z {b:+.1f}      peak {peak:.2f}      log|a| = {log_det:+.2f}"
    transport(normal.log_prob(GRID).exp(), p_x, z_lines, a * z_lines + b, title)


def mixture(weight: float = 0.4, gap: float = 4.0, width: float = 0.7) -> None:
    """The same lines, carried by the inverse distribution function of two Gaussians of one width."""
    means = torch.tensor([-gap / 2, gap / 2], dtype=torch.float64)
    weights = torch.tensor([weight, 1 - weight], dtype=torch.float64)
    standard = (GRID[:, None] - means) / width
    cdf = (weights * torch.special.ndtr(standard)).sum(1)
    p_x = (weights * (-0.5 * standard**2).exp()).sum(1) / (width * math.sqrt(2 * math.pi))
    places = torch.searchsorted(cdf, SHARES)  # the inverse, to the step of the grid
    turns = (p_x.diff().sign().diff() > 0) & (GRID[1:-1].abs() < gap / 2)  # falls, then rises
    valley = p_x[1:-1][turns]
    note = f"density in the valley {valley.min():.1e}" if len(valley) else "one hump: no valley"
    title = f"{weight:.0%} below, gap {gap:.1f}      {note}"
    transport(Normal(0.0, 1.0).log_prob(GRID).exp(), p_x, torch.special.ndtri(SHARES), GRID[places], title)


def transport(p_z: Tensor, p_x: Tensor, z_lines: Tensor, x_lines: Tensor, title: str) -> None:
    """Densities on `GRID`, z at the left and x at the right, with lines that go from one to the other."""
    (ax,) = placed(size=(5.6, 2.5), left=0.06, right=0.94, bottom=0.06, top=0.88)
    for density, foot, sign, kind in ((p_z, 0.0, -1, "z"), (p_x, 1.0, 1, "x")):
        color, edge = plots.COLORS[kind], foot + sign * density.clamp_max(0.95)
        ax.fill_betweenx(GRID, foot, edge, color=color, alpha=0.3, lw=0)
        ax.plot(edge, GRID, color=color)
    title += "   (peak cut off)" if p_x.max() > 0.95 else ""
    height = torch.linspace(0, 1, 30, dtype=torch.float64)
    ease = height**2 * (3 - 2 * height)
    paths = z_lines[:, None] + ease * (x_lines - z_lines)[:, None]
    lines = [torch.stack([height, path], 1).numpy() for path in paths]
    ax.add_collection(LineCollection(lines, color=plots.MAP_COLOR, lw=0.93 * scale()))
    ax.set(xlim=(-0.55, 2.0), ylim=(-6.5, 6.5), xticks=[], yticks=[-5, 0, 5], title=title)
    ax.yaxis.set_tick_params(left=True, right=True, labelright=True)
    ax.text(-0.48, 5.2, "z", color=plots.Z_COLOR, size=13 * scale())
    ax.text(1.86, 5.2, "x", color=plots.X_COLOR, size=13 * scale())
    ax.spines[:].set_visible(False)
    plt.show()


# --------------------------------------------------------------------------- what is left over


def qq_and_pit(quantiles: Tensor, z: Tensor, pit: Tensor) -> None:
    """Sorted z against normal quantiles, and a histogram of Phi(z) that should be level."""
    axes = plots.new_axes(1, 2, size=(6.4, 2.7))
    axes[0].plot(quantiles, z, ".", color=plots.Z_COLOR, ms=3 * scale())
    axes[0].plot([-4, 4], [-4, 4], "--", color=plots.REFERENCE_COLOR, lw=1)
    axes[0].set(xlabel="normal quantile", ylabel="sorted $z$", title="QQ plot")
    level(pit, "PIT", axes[1])
    axes[1].set(xlabel=r"$\Phi(z)$")
    plt.show()


def level(u: Tensor, title: str, ax: Axes) -> None:
    """A histogram of numbers in (0, 1), beside the level 1 that it has if they are uniform."""
    plots.density_1d(None, 0, 1, samples=u, kind="z", bins=20, ax=ax)
    ax.axhline(1, ls="--", color=plots.REFERENCE_COLOR, lw=1)
    ax.set(title=title, xlabel="$z$ on the uniform base", ylabel="density", ylim=(0, 1.6))


def gains(splits: Rows, shuffles: Rows) -> None:
    """The gain on each split with its standard error, beside those over all houses in ten folds."""
    ax = plots.new_axes(size=(5.4, 2.6))
    for rows, start, color in ((splits, 0, plots.MAP_COLOR), (shuffles, len(splits) + 1, plots.X_COLOR)):
        places = [start + k for k in range(len(rows))]
        means, errors = [row["gain"] for row in rows], [row["error"] for row in rows]
        ax.errorbar(places, means, errors, fmt="o", color=color, lw=1.2, ms=5 * scale(), capsize=3)
    ax.axhline(0, color=plots.REFERENCE_COLOR, ls="--", lw=1)
    middles = [(len(splits) - 1) / 2, len(splits) + 1 + (len(shuffles) - 1) / 2]
    names = [
        f"{len(splits)} splits,\na test part of each",
        f"all houses,\n{len(shuffles)} times in ten folds",
    ]
    ax.set(ylabel="gain (nats a house)", xticks=middles, xticklabels=names)
    ax.tick_params(axis="x", length=0)
    plt.show()


# --------------------------------------------------------------------------- the clinic


def clinic(curves: Mapping[str, Sequence[float]], entropy: float, prices: Mapping[str, Tensor]) -> None:
    """Losses by epoch beside the entropy; histograms of prices in dollars, the first of them filled."""
    axes, colors = plots.new_axes(1, 2, size=(7.4, 2.6)), (plots.MAP_COLOR, plots.X_COLOR)
    for (name, curve), color in zip(curves.items(), colors, strict=True):
        axes[0].plot(range(1, len(curve) + 1), curve, color=color, label=name)
    axes[0].axhline(entropy, color=plots.REFERENCE_COLOR, ls="--", lw=1)
    axes[0].set(xlabel="epoch", ylabel="loss (nats)", title="entropy dashed")
    style = {"bins": 60, "range": (0, 600), "density": True}
    for (name, price), color in zip(prices.items(), ("#bbbbbb", *colors), strict=True):
        kind = {} if color == "#bbbbbb" else {"histtype": "step", "lw": 1.2 * scale()}
        axes[1].hist(price.cpu() / 1000, color=color, label=name, **style, **kind)
    axes[1].set(xlabel="price (1,000 $)", ylabel="density", ylim=(0, 0.012))
    for ax in axes:
        ax.legend()
    plt.show()
