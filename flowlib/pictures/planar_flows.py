"""The pictures of lesson 3: what its sliders move, and the figures that are more drawing than thought."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from torch import Tensor

from flowlib import plots
from flowlib.drawing import Density, outline_of
from flowlib.pictures.stage import placed

__all__ = [
    "bridge",
    "depths",
    "energies",
    "errors_by_step",
    "even_path",
    "fold",
    "grids",
    "growth",
    "layer",
    "root",
    "seeds",
    "times",
]


def _scale() -> float:
    return plt.rcParams["font.size"] / 9.5


# ------------------------------------------------------------------------- moved by sliders


def layer(
    along: float = 1.0, across: float = 0.0, turn: float = 30, steep: float = 1.5, b: float = 0.0
) -> None:
    """A square grid and a cloud, and where one planar layer x = z + u tanh(w.z + b) takes them.

    Args:
        along: w.u, the part of u along w. Below -1 the layer folds; the points turned over are black.
        across: the length of the part of u across w.
        turn: the direction of w, in degrees.
        steep: |w|.
    """
    way = torch.tensor([math.cos(math.radians(turn)), math.sin(math.radians(turn))])
    left = torch.stack([-way[1], way[0]])
    w, u = steep * way, along / steep * way + across * left  # so that w.u = along
    cloud = 0.9 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    folded = 1 + along * (1 - torch.tanh(cloud @ w + b) ** 2) < 0
    axes = placed(2, (5.6, 2.4), left=0.07, right=0.99, bottom=0.17, top=0.9, wspace=0.2)
    for ax, kind in zip(axes, "zx", strict=True):
        lines, dots = (
            p + (kind == "x") * u * torch.tanh(p @ w + b)[:, None] for p in (_square_grid(), cloud)
        )
        ax.plot(*lines.T, color=plots.MAP_COLOR, lw=0.42 * _scale())
        ax.plot(*dots[~folded].T, ".", color=plots.COLORS[kind], ms=2.8 * _scale())
        ax.plot(*dots[folded].T, ".", color="black", ms=4.2 * _scale())
        ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel=f"${kind}_1$", ylabel=f"${kind}_2$")
    ends = -b / steep * way + torch.tensor([[-9.0], [9.0]]) * left
    axes[0].plot(*ends.T, color=plots.REFERENCE_COLOR, ls="--")
    axes[0].set_title(f"$w^Tu$ = {along:.1f}")
    fold = "   FOLDS (black)" if along < -1 else ""
    axes[1].set_title(f"det {min(1 + along, 1):.1f} … {max(1 + along, 1):.1f}{fold}")
    plt.show()


def _square_grid() -> Tensor:
    """The lines of a grid, one behind the other, as points (n, 2)."""
    side = torch.linspace(-2.5, 2.5, 21)
    fine = torch.cat([torch.linspace(-2.5, 2.5, 41), torch.tensor([math.nan])])  # nan lifts the pen
    one_way = torch.stack([side.repeat_interleave(42), fine.repeat(21)], 1)
    return torch.cat([one_way, one_way.flip(1)])


def root(wu: float = 2.0, y: float = 1.0, step: int = 3) -> None:
    """Newton's method and bisection on g(a) = a + wu tanh(a) = y, after some steps of both.

    Args:
        wu: w.u of the layer, above -1.
    """

    def g(a: float) -> float:
        return a + wu * math.tanh(a)

    low, high, newton, trail = y - abs(wu), y + abs(wu), y, [(y, g(y))]
    for _ in range(step):
        middle = (low + high) / 2
        low, high = (middle, high) if g(middle) < y else (low, middle)
        newton = newton - (g(newton) - y) / (1 + wu * (1 - math.tanh(newton) ** 2))
        trail.append((newton, g(newton)))
    a = torch.linspace(-20, 20, 500)
    (ax,) = placed(size=(5.6, 2.6), left=0.09, right=0.97, bottom=0.16, top=0.9)
    ax.plot(a, a + wu * torch.tanh(a), color=plots.MAP_COLOR)
    ax.axhline(y, color=plots.REFERENCE_COLOR, ls="--", lw=0.7 * _scale())
    ax.axvspan(low, high, color=plots.Z_COLOR, alpha=0.25, lw=0)
    ax.plot(*zip(*trail, strict=True), "o:", color=plots.X_COLOR, ms=3.7 * _scale())
    ax.set(xlim=(-20, 20), ylim=(-28, 28), xlabel="a", ylabel="g(a)")
    miss = abs(g(newton) - y)
    ax.set_title(f"step {step}:  bracket {high - low:.1e} (blue),  Newton misses y by {miss:.1e}")
    plt.show()


# ------------------------------------------------------------------------- figures of the lesson


def grids(maps: Mapping[str, Callable], *, lines: int = 9, view: float = 3.4) -> None:
    """A square grid in z at the left, then its image under each map, z -> x or z -> (x, log_det).

    Args:
        maps: title -> map.
        view: half the side of the window.
    """
    _, axes = plt.subplots(1, len(maps) + 1, figsize=(2.4 * (len(maps) + 1), 2.7))
    for ax, (title, move) in zip(axes[1:], maps.items(), strict=True):
        axes[0].clear()
        plots.warped_grid(move, lines=lines, axes=(axes[0], ax))
        ax.set_title(title)
    axes[0].set_title("$z$")
    for ax in axes:
        ax.set(xlim=(-view, view), ylim=(-view, view))
    plt.show()


def growth(move: Callable, side: float) -> float:
    """How many times the area of the square [0, side]² grows under a map of the plane, z -> x."""
    edge = np.array([0.0, side])
    outline = outline_of(edge, edge, points=200)
    x, y = move(torch.from_numpy(outline).float()).double().T
    return 0.5 * (x[:-1] * y[1:] - x[1:] * y[:-1]).sum().item() / side**2  # the shoelace formula


def times(dims: Sequence[int], curves: Mapping[str, Sequence[float]], ylabel: str) -> None:
    """Seconds against dimension, both on logarithmic axes: a curve for each method."""
    _, ax = plt.subplots(figsize=(4.2, 2.5))
    for (name, curve), color in zip(curves.items(), (plots.MAP_COLOR, plots.X_COLOR), strict=True):
        ax.loglog(dims, curve, "o-", color=color, label=name)
    ax.set(xlabel="dimension D", ylabel=ylabel)
    ax.legend()
    plt.show()


def fold(curves: Mapping[float, Tensor], a: Tensor, roots: Tensor, move: Callable) -> None:
    """The function g for some w.u, and a grid under a layer that folds.

    Args:
        curves: w.u -> g(a), each shaped as a.
        roots: where the folding one is zero.
        move: the folding layer, z -> x.
    """
    _, axes = plt.subplots(1, 3, figsize=(9, 2.8))
    for (wu, g), style in zip(curves.items(), (":", "-.", "--", "-"), strict=True):
        color = plots.X_COLOR if wu < -1 else plots.MAP_COLOR
        axes[0].plot(a, g, ls=style, color=color, label=f"$w^Tu={wu:g}$")
    axes[0].axhline(0, color=plots.REFERENCE_COLOR, ls="--", lw=0.8)
    axes[0].plot(roots, torch.zeros_like(roots), "o", color=plots.X_COLOR, ms=5)
    axes[0].set(xlabel="$a = w^Tz + b$", ylabel="$g(a) = w^Tx + b$")
    axes[0].legend(fontsize=7)
    plots.warped_grid(move, axes=axes[1:])
    for ax in axes[1:]:
        ax.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8))
    plt.show()


def errors_by_step(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Error against step, a panel for each equation and a curve for each method of solving it."""
    _, axes = plt.subplots(1, len(panels), figsize=(9, 2.6), sharey=True)
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        for (name, curve), color in zip(curves.items(), plots.CYCLE[2:5], strict=True):
            hollow = {"ls": "--", "mfc": "white"} if name == "Newton" else {}
            steps = range(1, len(curve) + 1)
            ax.semilogy(steps, curve, marker="o", ms=3.5, color=color, label=name, **hollow)
        ax.set(title=title, xlabel="step", xticks=[2, 6, 10, 14])
    axes[0].set_ylabel("worst error")
    axes[0].legend(loc="center right")
    plt.show()


def seeds(rows: Sequence[Mapping], ax: Axes, *, key: str, groups: str, colors: Mapping[int, str]) -> None:
    """A dot for each training: its missing nats, on a logarithmic axis.

    Args:
        rows: dicts with "missing", `key` and `groups`.
        key: the column along the axis, a place for each value in order of appearance.
        groups: the column that shifts and colours the dots, such as "steps".
        colors: value of that column -> colour.
    """
    places = {value: place for place, value in enumerate(dict.fromkeys(row[key] for row in rows))}
    for index, (group, color) in enumerate(colors.items()):
        chosen = [row for row in rows if row[groups] == group]
        shift = 0.26 * (index - (len(colors) - 1) / 2)
        # Seeds that end at one value stay apart, and one sees how many they are.
        apart = [0.035 * (row["seed"] % 3 - 1) for row in chosen]
        at = [places[row[key]] + shift + side for row, side in zip(chosen, apart, strict=True)]
        missing = [row["missing"] for row in chosen]
        ax.semilogy(at, missing, "o", color=color, ms=4, alpha=0.65, mew=0, label=f"{group:,} {groups}")
    ax.set(ylabel="missing nats", xticks=list(places.values()), xticklabels=[str(value) for value in places])
    low, high = ax.get_ylim()
    ticks = [tick for tick in (0.03, 0.1, 0.3, 1, 3) if low <= tick <= high]
    ax.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend()


def depths(rows: Sequence[Mapping], flows: Mapping[int, Density], box: Sequence[float]) -> None:
    """Dots for all trainings at the left (see `seeds`), then density maps of flows, by their layers."""
    _, axes = plt.subplots(1, 1 + len(flows), figsize=(10.4, 2.9), width_ratios=(2.6, *[1] * len(flows)))
    seeds(rows, axes[0], key="layers", groups="steps", colors={700: plots.MAP_COLOR, 3000: plots.X_COLOR})
    axes[0].set_xlabel("planar layers")
    for ax, (layers, flow) in zip(axes[1:], flows.items(), strict=True):
        plots.density_map(flow, box, ax=ax, title=f"{layers} layer{'s' * (layers > 1)}", vmax=0.7)
    for ax in axes[2:]:
        ax.set(ylabel="", yticklabels=[])
    plt.show()


def even_path(move: Callable, ends: Tensor, n: int = 601) -> Tensor:
    """Latents on the segment between two, (n, dim), whose images lie at equal distances along their curve.

    Where a flow stretches most, equal steps in z would leave the curve in x with too few points.
    """
    fine = torch.linspace(0, 1, 3001, device=ends.device)
    with torch.no_grad():
        path, _ = move(torch.lerp(ends[0], ends[1], fine[:, None]))
    # numpy works on the CPU
    length = np.concatenate([[0], path.diff(dim=0).norm(dim=1).cumsum(0).cpu().numpy()])
    t = np.interp(np.linspace(0, length[-1], n), length, fine.cpu().numpy())
    return torch.lerp(ends[0], ends[1], torch.from_numpy(t).to(ends)[:, None])


def bridge(density: Density, path: Tensor, curves: Mapping[str, Tensor]) -> None:
    """A log-density with a path on it, and what lies along the path.

    Args:
        path: points (n, 2) at equal distances.
        curves: "flow", "two moons" and "base, at z(t)" -> log-densities (n,).
    """
    path = path.cpu()
    length = np.concatenate([[0], path.diff(dim=0).norm(dim=1).cumsum(0).numpy()])
    _, axes = plt.subplots(1, 2, figsize=(8.8, 3.1), width_ratios=(1.35, 1))
    plots.density_map(density, (-1.6, 2.6, -1.1, 1.6), log=True, floor=-12, ax=axes[0], colorbar=True)
    axes[0].plot(*path.T, color="white", lw=1.2)
    axes[0].plot(*path[[0, -1]].T, "o", color="white", ms=5)
    styles = (
        {"color": plots.X_COLOR},
        {"color": plots.REFERENCE_COLOR, "ls": "--"},
        {"color": plots.Z_COLOR},
    )
    for (name, curve), style in zip(curves.items(), styles, strict=True):
        axes[1].plot(length, curve.cpu(), label=name, **style)
    axes[1].set(xlabel="length along the path in x", ylabel="log-density (nats)")
    axes[1].legend(loc="lower right")
    plt.show()


def energies(
    targets: Mapping[str, Density],
    samples: Mapping[str, Tensor] | None = None,
    titles: Mapping[str, str] | None = None,
) -> None:
    """Unnormalised densities on the plane; below them samples of the flows that learned them, with titles."""
    rows = 2 if samples else 1
    _, axes = plt.subplots(rows, len(targets), figsize=(9.2, 2.3 * rows), squeeze=False)
    for (name, energy), column in zip(targets.items(), axes.T, strict=True):
        plots.density_map(energy, 4, ax=column[0], title=name)
        if samples:
            plots.scatter_samples(samples[name], 4, ax=column[1], title=titles[name] if titles else name)
        for ax in column:
            ax.set(xlabel="", ylabel="")
    plt.show()
