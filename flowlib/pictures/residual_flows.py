"""The pictures of lesson 9: cobwebs, grids that rounds straighten, cut series, memory, areas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from flowlib import plots
from flowlib.pictures.autoregressive import densities as densities
from flowlib.pictures.stage import placed, scale

__all__ = [
    "activations",
    "cobweb",
    "cobwebs",
    "densities",
    "digits",
    "dots",
    "heights",
    "henon",
    "henon_map",
    "lattice",
    "measured_rounds",
    "memory",
    "rounds",
    "series",
    "twist",
    "unwarp",
]

Rows = Sequence[Mapping]  # a table of assets/results


def _two(size: tuple[float, float]) -> list[Axes]:
    """Axes for two squares side by side, with room for the largest labels."""
    return placed(2, size, left=0.09, right=0.98, bottom=0.17, top=0.9, wspace=0.28)


# --------------------------------------------------------------------------- the way back


def cobweb(slope: float = 0.9, x: float = 0.8, count: int = 8) -> None:
    """The layer x = z + slope * sin z, and the rounds z <- x - slope * sin z that undo it.

    Args:
        slope: the largest slope of g; below 1 in size, the layer is invertible.
        x: what the layer handed out.
        count: rounds, from z = x.
    """
    axes = _two((6.2, 3.0))
    grid = torch.linspace(-4, 4, 801, dtype=torch.float64)
    given = torch.tensor(x, dtype=torch.float64)
    places = [given]
    for _ in range(count):
        places.append(given - slope * places[-1].sin())
    curve = grid + slope * grid.sin()
    crossings = grid[:-1][((curve - x)[:-1] * (curve - x)[1:]) <= 0]
    axes[0].plot(grid, curve, color=plots.MAP_COLOR)
    axes[0].axhline(x, color=plots.X_COLOR, lw=1.2 * scale())
    axes[0].plot(crossings, [x] * len(crossings), "o", color=plots.Z_COLOR, ms=5 * scale())
    answers = "one $z$" if len(crossings) == 1 else f"{len(crossings)} values of $z$"
    axes[0].set(xlabel="$z$", ylabel="$x$", title=f"the layer: {answers} for this $x$")
    axes[1].plot(grid, grid, color=plots.REFERENCE_COLOR, ls="--", lw=scale())
    axes[1].plot(grid, x - slope * grid.sin(), color=plots.MAP_COLOR)
    _web(axes[1], [float(place) for place in places], -3.0)
    left = abs(float(given - places[-1] - slope * places[-1].sin()))  # how far x is missed
    axes[1].set(xlabel="$z_n$", ylabel="$z_{n+1}$", title=f"{count} rounds: $x$ missed by {left:.1g}")
    for ax in axes:
        ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=(-2, 0, 2), yticks=(-2, 0, 2), aspect="equal")
    plt.show()


def cobwebs(
    slopes: Sequence[float] = (0.9, 1.2), x: float = 0.6, start: float = -2.5, count: int = 16
) -> None:
    """The rounds of `cobweb` for several slopes side by side, from z = start; their x has one z each."""
    grid = torch.linspace(-4, 4, 801, dtype=torch.float64)
    for ax, slope in zip(_two((6.2, 3.0)), slopes, strict=True):
        places = [start]
        for _ in range(count):
            places.append(x - slope * math.sin(places[-1]))
        low, high = -4.0, 4.0  # halve, until the one z is found
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if middle + slope * math.sin(middle) < x else (low, middle)
        ax.plot(grid, grid, color=plots.REFERENCE_COLOR, ls="--", lw=scale())
        ax.plot(grid, x - slope * grid.sin(), color=plots.MAP_COLOR)
        _web(ax, places, -3.0)
        ax.set(xlabel="$z_n$", ylabel="$z_{n+1}$", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ax.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))
        ax.set_title(f"slope {slope}, {count} rounds: $z$ off by {abs(places[-1] - low):.1g}")
    plt.show()


def _web(ax: Axes, places: Sequence[float], floor: float) -> None:
    """The staircase between a curve and the diagonal: up or down to the curve, across to the diagonal."""
    line = [(places[0], floor)]
    for here, there in pairwise(places):
        line += [(here, there), (there, there)]
    ax.plot(*zip(*line, strict=True), color=plots.Z_COLOR, lw=1.1 * scale())
    ax.plot(places[0], floor, "o", color=plots.X_COLOR, ms=5 * scale(), clip_on=False, zorder=3)
    ax.plot(line[-1][0], line[-1][1], "o", color=plots.Z_COLOR, ms=5 * scale(), zorder=3)


def rounds(
    curves: Mapping[str, Sequence[float]], bounds: Mapping[str, Sequence[float]], title: str = ""
) -> None:
    """Errors against the number of rounds, one colour a curve, with its bound dashed."""
    ax = plots.new_axes(size=(4.8, 2.8))
    for (name, errors), color in zip(curves.items(), plots.CYCLE, strict=False):
        counts = range(1, len(errors) + 1)
        ax.plot(counts, errors, color=color, label=name)
        if name in bounds:
            ax.plot(counts, bounds[name], color=color, ls="--", lw=scale())
    ax.set(xlabel="rounds", ylabel="largest error", yscale="log", title=title, ylim=(1e-16, 1e2))
    ax.legend(loc="upper right")
    plt.show()


def measured_rounds(rows: Rows, ax: Axes | None = None) -> None:
    """Errors of a flow and of its worst block against rounds, with the block's bound: a table `rounds`."""
    ax = ax or plots.new_axes(size=(4.8, 2.8))
    counts = [row["rounds"] for row in rows]
    for column, style, color, name in (
        ("block", "o-", plots.X_COLOR, "worst block alone"),
        ("bound", "--", plots.X_COLOR, "its bound (9.4)"),
        ("error", "s-", plots.Z_COLOR, "all blocks together"),
    ):
        ax.plot(counts, [row[column] for row in rows], style, color=color, label=name)
    ax.set(xlabel="rounds for each block", ylabel="largest error", yscale="log")
    ax.legend(loc="lower left", fontsize="small")
    plt.show()


# --------------------------------------------------------------------------- one layer of the plane


def twist(z: Tensor, slope: float) -> Tensor:
    """A smooth g of the plane with Lipschitz constant `slope`: (n, 2) -> (n, 2). A turned gradient field."""
    return slope * torch.stack([(1.3 * z[:, 1]).sin(), (1.3 * z[:, 0] + 1).cos()], 1) / 1.3


def unwarp(slope: float = 0.8, count: int = 3) -> None:
    """A lattice bent by x = z + g(z), after some rounds of z <- x - g(z), over the lattice as it was."""
    lines = lattice(3.0, 13)
    bent = [line + twist(line, slope) for line in lines]
    found = bent
    for _ in range(count):
        found = [x - twist(z, slope) for x, z in zip(bent, found, strict=True)]
    error = max(float((a - b).norm(dim=1).max()) for a, b in zip(found, lines, strict=True))
    axes = _two((6.2, 3.1))
    _draw_lines(axes[0], bent, plots.X_COLOR)
    _draw_lines(axes[1], lines, "#bbbbbb")
    _draw_lines(axes[1], found, plots.Z_COLOR)
    axes[0].set(xlabel="$x_1$", ylabel="$x_2$", title="$x = z + g(z)$")
    word = "round" if count == 1 else "rounds"
    axes[1].set(xlabel="$z_1$", ylabel="$z_2$", title=f"{count} {word}: off by {error:.1g}")
    for ax in axes:
        ax.set(xlim=(-4.2, 4.2), ylim=(-4.2, 4.2), xticks=(-3, 0, 3), yticks=(-3, 0, 3), aspect="equal")
    plt.show()


def lattice(reach: float, count: int) -> list[Tensor]:
    """Lines of the square [-reach, reach]^2, `count` each way, as 121 points each: (121, 2)."""
    along = torch.linspace(-reach, reach, 121, dtype=torch.float64)
    places = torch.linspace(-reach, reach, count, dtype=torch.float64)
    upright = [torch.stack([place.expand(121), along], 1) for place in places]
    return upright + [line.flip(1) for line in upright]


def _draw_lines(ax: Axes, lines: Iterable[Tensor], color: str) -> None:
    for line in lines:
        ax.plot(*line.T, color=color, lw=0.9 * scale())


# --------------------------------------------------------------------------- slopes and series


def activations(kinds: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
    """Activations and their slopes, side by side; a slope above 1 would break the bound."""
    axes = plots.new_axes(1, 2, size=(6.2, 2.4))
    grid = torch.linspace(-4, 4, 801, requires_grad=True)
    for (name, kind), color in zip(kinds.items(), plots.CYCLE, strict=False):
        values = kind(grid)
        (slopes,) = torch.autograd.grad(values.sum(), grid)
        axes[0].plot(grid.detach(), values.detach(), color=color, label=name)
        axes[1].plot(grid.detach(), slopes.detach(), color=color)
    axes[0].set(xlabel="$a$", title="activation")
    axes[1].set(xlabel="$a$", title="its slope", ylim=(-0.3, 1.2))
    axes[1].axhline(1, color=plots.REFERENCE_COLOR, ls="--", lw=scale())
    axes[0].legend()
    plt.show()


def series(terms: int = 2, lipschitz: float = 0.9) -> None:
    """log(1 + s) for one eigenvalue s of J, and its power series cut after some terms.

    Args:
        terms: of the series.
        lipschitz: eigenvalues are at most so large.
    """
    (ax,) = placed(1, (4.8, 3.0), left=0.14, right=0.97, bottom=0.19, top=0.88)
    grid = torch.linspace(-0.995, 1.2, 881, dtype=torch.float64)
    cut = sum((-1) ** (k + 1) * grid**k / k for k in range(1, terms + 1))
    worst = abs(math.log(1 - lipschitz) + sum(lipschitz**k / k for k in range(1, terms + 1)))
    ax.axvspan(-lipschitz, lipschitz, color=plots.Z_COLOR, alpha=0.08, lw=0)
    ax.plot(grid, torch.log1p(grid), color=plots.REFERENCE_COLOR, ls="--", label="$\\log(1 + s)$")
    ax.plot(grid, cut, color=plots.X_COLOR, label=f"{terms} terms" if terms > 1 else "1 term")
    ax.set(xlim=(-1.05, 1.2), ylim=(-3.5, 1.6), xlabel="eigenvalue $s$ of $J$", ylabel="log-determinant")
    ax.set_title(f"off by at most {worst:.2g} where $|s| \\leq {lipschitz:.2f}$")
    ax.legend(loc="lower right")
    plt.show()


# --------------------------------------------------------------------------- what was measured


def dots(rows: Rows, by: str, value: str, xlabel: str) -> None:
    """One dot a training, a line for each value of the column `by`."""
    names = list(dict.fromkeys(row[by] for row in rows))
    ax = plots.new_axes(size=(4.8, 0.7 + 0.3 * len(names)))
    for place, name in enumerate(reversed(names)):
        mine = [row[value] for row in rows if row[by] == name]
        ax.plot(mine, [place] * len(mine), "o", color=plots.X_COLOR, alpha=0.6, ms=5 * scale())
    ax.set(yticks=range(len(names)), yticklabels=[str(name) for name in reversed(names)], xlabel=xlabel)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.grid(axis="x", lw=0.4, color="#cccccc")
    plt.show()


WAYS = {"store": (plots.MAP_COLOR, "s"), "checkpoint": (plots.Z_COLOR, "D"), "reverse": (plots.X_COLOR, "o")}


def memory(rows: Rows) -> None:
    """Bytes kept and seconds of a step against depth, for three ways: a table `memory` of assets/results."""
    axes = plots.new_axes(1, 2, size=(7.0, 2.7))
    for way, (color, mark) in WAYS.items():
        mine = [row for row in rows if row["way"] == way]
        depth = [row["depth"] for row in mine]
        for ax, column, unit in ((axes[0], "bytes", 2**20), (axes[1], "seconds", 1)):
            ax.plot(
                depth,
                [row[column] / unit for row in mine],
                mark + "-",
                color=color,
                label=way,
                ms=4 * scale(),
            )
    ticks = sorted({row["depth"] for row in rows})
    for ax, label in zip(axes, ("MiB kept on the way there", "seconds a step"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="layers", ylabel=label, xticks=ticks)
        ax.set_xticklabels([str(tick) for tick in ticks])
        ax.minorticks_off()
    axes[0].legend()
    plt.show()


def digits(rows: Rows) -> None:
    """Error of inputs computed again from outputs against a chain's condition number: table `digits_lost`."""
    ax = plots.new_axes(size=(4.8, 2.8))
    for dtype, color in (("float32", plots.X_COLOR), ("float64", plots.Z_COLOR)):
        mine = sorted((row["condition"], row["error"]) for row in rows if row["dtype"] == dtype)
        condition, errors = zip(*mine, strict=True)
        rounding = torch.finfo(getattr(torch, dtype)).eps
        ax.plot(condition, errors, "o", color=color, label=dtype, ms=4.5 * scale())
        ax.plot(condition, [rounding * value for value in condition], "--", color=color, lw=scale())
    ax.axhline(1e-3, color=plots.REFERENCE_COLOR, lw=0.8 * scale(), label="refused above")
    ax.set(xscale="log", yscale="log", xlabel="condition number of the chain", ylabel="error of the inputs")
    ax.legend()
    plt.show()


# --------------------------------------------------------------------------- det = 1


def henon_map(z: Tensor, a: float = 1.4, b: float = 1.0) -> Tensor:
    """x1 = 1 - a z1^2 + z2, x2 = b z1: (n, 2) -> (n, 2). Its determinant is -b everywhere."""
    return torch.stack([1 - a * z[:, 0] ** 2 + z[:, 1], b * z[:, 0]], 1)


def henon(a: float = 0.6, times: int = 2, b: float = 1.0) -> None:
    """A chequered disc, and where rounds of the Hénon map carry it; cells keep their area where |b| = 1."""
    side = torch.linspace(-1, 1, 161, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    middle = points.view(161, 161, 2)[:-1, :-1] + 1 / 160
    cells = 1 + (middle * 4).floor().sum(2) % 2
    shade = torch.where(middle.norm(dim=2) < 1, cells, math.nan)
    moved = points
    for _ in range(times):
        moved = henon_map(moved, a, b)
    axes = _two((6.2, 3.0))
    for ax, at, colors in (
        (axes[0], points, ("#0072B2", "#8fc3e3")),
        (axes[1], moved, ("#D55E00", "#f2b58a")),
    ):
        grid = at.view(161, 161, 2)
        ax.pcolormesh(grid[..., 0], grid[..., 1], shade, cmap=ListedColormap(colors), rasterized=True)
        low, high = (end.numpy() for end in at[points.norm(dim=1) < 1].aminmax(dim=0))
        low, high = low - 0.08 * (high - low), high + 0.08 * (high - low)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        ax.set_aspect("equal" if (high - low).max() < 2.5 * (high - low).min() else "auto")
    title = f"area {math.pi * abs(b) ** times:.2f}"
    axes[0].set(xlabel="$z_1$", ylabel="$z_2$", title=f"area {math.pi:.2f}")
    axes[1].set(
        xlabel="$x_1$", ylabel="$x_2$", title=f"{times} times: {title}" if times != 1 else f"once: {title}"
    )
    plt.show()


def _area(rim: Tensor) -> float:
    """Inside a closed line of points, by the shoelace formula."""
    across, along = rim.T
    return float((across[:-1] * along[1:] - across[1:] * along[:-1]).sum().abs() / 2)


def heights(panels: Mapping[str, Mapping[str, tuple[Tensor, Tensor]]]) -> None:
    """Density against the area on which it is exceeded: what a map of determinant 1 cannot change.

    Args:
        panels: title -> name -> (areas, densities), sorted; the first vermilion, the second dashed.
    """
    axes = plots.new_axes(1, len(panels), size=(3.5 * len(panels), 2.6))
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        shown = 0.0
        for (name, (area, density)), style in zip(curves.items(), ({}, {"ls": "--"}), strict=False):
            color = plots.Z_COLOR if style else plots.X_COLOR
            ax.plot(area, density, color=color, label=name, **style)
            shown = max(shown, float(area[density > 0.02 * density.max()].max()))
        ax.set(xlabel="area where it is higher", ylabel="density", title=title, xlim=(0, 1.05 * shown))
        ax.set_ylim(bottom=0)
        ax.legend()
    plt.show()
