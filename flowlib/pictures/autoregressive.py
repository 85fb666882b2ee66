"""The pictures of lesson 6: slices of the banana, masks and their paths, a net that samples step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor, nn

from flowlib import data, plots
from flowlib.drawing import Density
from flowlib.flow import Flow
from flowlib.pictures.stage import placed, scale

__all__ = [
    "BANANA",
    "DIM",
    "causal",
    "conditional",
    "conditionals",
    "densities",
    "diamonds",
    "jacobians",
    "masks",
    "net",
    "over_seeds",
    "paths",
    "race",
    "rounds",
    "samples",
    "sliced",
    "timing",
    "wires",
]

BANANA = (-4, 9, -6.5, 6.5)  # where the banana is: left, right, bottom, top


# --------------------------------------------------------------------------- one variable at a time


def conditionals(x2_lines: Sequence[float], x1_lines: Sequence[float]) -> None:
    """The banana cut along horizontal lines (x2 given) and vertical ones (x1 given); (3, 4) in white."""
    axes = plots.new_axes(1, 3, size=(9.0, 2.7))
    plots.density_map(data.banana_log_prob, BANANA, title="the banana", ax=axes[0])
    axes[0].axhline(3, color="white", lw=1)
    axes[0].axvline(4, color="white", lw=1)
    for ax, given, values in ((axes[1], 1, x2_lines), (axes[2], 0, x1_lines)):
        low, high = BANANA[:2] if given == 1 else BANANA[2:]
        grid = torch.linspace(low, high, 400)
        for value, style in zip(values, (":", "--", "-"), strict=True):
            density = sliced(data.banana_log_prob, grid, given, value)
            ax.plot(grid, density, ls=style, color=plots.X_COLOR, label=f"$x_{given + 1}$ = {value}")
        ax.set(xlabel=f"$x_{2 - given}$", ylabel=f"$p(x_{2 - given}\\mid x_{given + 1})$")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handlelength=1.4, columnspacing=0.8)
    plt.show()


def sliced(log_prob: Callable[[Tensor], Tensor], grid: Tensor, given: int, value: float) -> Tensor:
    """The density of one variable on a grid, where the other, number `given`, has this value."""
    points = torch.full((len(grid), 2), float(value))
    points[:, 1 - given] = grid
    values = log_prob(points).double()
    return (values - values.logsumexp(0)).exp() / (grid[1] - grid[0])


def conditional(flows: Mapping[str, Flow], order: str, line: float) -> None:
    """One layer's density with a line through it, and along the line its conditional beside the true one.

    Args:
        flows: "x₁ first" and "x₂ first", a flow for each.
        order: which of the two.
        line: the value of the variable that comes first.
    """
    given = 0 if order == "x₁ first" else 1
    flow, (left, right) = flows[order], (-6.5, 9.0)
    grid = torch.linspace(left, right, 200)
    axes = placed(2, (5.8, 2.5), left=0.08, right=0.99, bottom=0.19, top=0.88, wspace=0.22)
    axes[0].imshow(_grid_density(flow), origin="lower", extent=(left, right, left, right), vmax=0.08)
    (axes[0].axvline if given == 0 else axes[0].axhline)(line, color="white", lw=scale())
    axes[0].set(xlabel="$x_1$", ylabel="$x_2$", title=f"one layer, {order}")
    for log_prob, color, style in ((data.banana_log_prob, "k", "--"), (_scored(flow), plots.X_COLOR, "-")):
        axes[1].plot(grid, sliced(log_prob, grid, given, line), color=color, ls=style)
    title = f"$p(x_{2 - given}\\mid x_{given + 1} = {line:.2f})$, truth dashed"
    axes[1].set(xlabel=f"$x_{2 - given}$", title=title, ylim=(0, 0.62), xlim=(left, right))
    plt.show()


def _scored(flow: Flow) -> Callable[[Tensor], Tensor]:
    """log_prob of points on the CPU, whatever device the flow is on."""
    where = next(flow.parameters()).device

    @torch.no_grad()
    def log_prob(points: Tensor) -> Tensor:
        return flow.log_prob(points.to(where)).cpu()

    return log_prob


def _grid_density(flow: Flow) -> Tensor:
    side = torch.linspace(-6.5, 9.0, 90)
    return _scored(flow)(torch.cartesian_prod(side, side).flip(1)).exp().view(90, 90)


# --------------------------------------------------------------------------- masks


def masks(into: Tensor, between: Tensor, out: Tensor, paths: Tensor) -> None:
    """The three masks of a net with two hidden layers, and the paths from inputs to outputs."""
    _, axes = plt.subplots(1, 4, figsize=(8.8, 2.6), width_ratios=(6, 15, 15, 6.5))
    panels = (
        (into, "into the hidden units", "input j", "hidden unit k"),
        (between, "between them", "hidden unit k", "hidden unit l"),
        (out, "to the outputs", "hidden unit k", "output i"),
        (paths, "paths", "input j", "output i"),
    )
    for ax, (matrix, title, across, down) in zip(axes, panels, strict=True):
        _matrix(matrix, ax)
        ax.set(title=title, xlabel=across, ylabel=down)
    plt.show()


def _matrix(matrix: Tensor, ax: Axes) -> None:
    """Black where there is something; rows and columns counted from 1."""
    ax.imshow(matrix > 0, cmap="gray_r", vmin=0, vmax=1.4)
    ax.set(xticks=range(0, matrix.shape[1], 2), yticks=range(0, len(matrix), 2))
    ax.set_xticklabels(list(map(str, range(1, matrix.shape[1] + 1, 2))))
    ax.set_yticklabels(list(map(str, range(1, len(matrix) + 1, 2))))


def paths(
    variables: int = 6, hidden: int = 15, shuffle: bool = False, greater_or_equal: bool = False
) -> None:
    """Masks by (6.5) and the paths that they leave; those that must not be are vermilion.

    Args:
        shuffle: take the variables in another order.
        greater_or_equal: write the last sign of (6.5) as the others.
    """
    place = torch.arange(1, variables + 1)
    if shuffle:
        place = place[torch.randperm(variables, generator=torch.Generator().manual_seed(3))]
    degree = 1 + torch.arange(hidden) * (variables - 1) // hidden
    into, between = degree[:, None] >= place, degree[:, None] >= degree
    out = place[:, None] >= degree if greater_or_equal else place[:, None] > degree
    reached = out.double() @ between.double() @ into.double() > 0
    wrong = reached & (place[:, None] <= place)
    axes = placed(3, (5.8, 2.35), left=0.05, right=0.99, bottom=0.12, top=0.88, wspace=0.25)
    for ax, matrix, side in ((axes[0], into, "input j"), (axes[1], out.T, "output i")):
        ax.imshow(matrix, cmap="gray_r", vmin=0, vmax=1.4, aspect="auto")
        ax.set(title=f"connected to {side[:-2]}", xlabel=side, ylabel="hidden unit", xticks=(), yticks=())
    axes[2].imshow(reached + 0.0, cmap="gray_r", vmin=0, vmax=1.4)
    axes[2].scatter(*wrong.nonzero().T.flip(0), s=91 * scale() ** 2, color=plots.X_COLOR, marker="s")
    axes[2].set(title=f"paths, {int(wrong.sum())} forbidden", xlabel="input j", ylabel="output i")
    axes[2].set(xticks=(), yticks=())
    plt.show()


def jacobians(net: nn.Module, layer: nn.Module, shuffled: nn.Module, point: Tensor) -> None:
    """Which outputs see which inputs: of the net's mean, of its layer, of a layer in another order."""
    axes = plots.new_axes(1, 3, size=(9.2, 2.7))
    plots.jacobian_pattern(lambda x: net(x)[0], point, ax=axes[0])
    plots.jacobian_pattern(layer, point, inverse=True, ax=axes[1])
    plots.jacobian_pattern(shuffled, point, inverse=True, ax=axes[2])
    axes[0].set(xlabel="$x_j$", ylabel=r"$\mu_i$")
    axes[0].images[0].colorbar.set_label(r"$\partial \mu_i / \partial x_j$")
    for ax, title in zip(axes, ("the net", "the layer", "order 3, 1, 6, 2, 5, 4"), strict=True):
        ax.set_title(title)
    plt.show()


def causal(paths: Tensor, jacobian: Tensor) -> None:
    """The paths of a masked net beside the Jacobian of causal attention on shifted inputs."""
    axes = plots.new_axes(1, 2, size=(4.8, 2.3))
    for ax, matrix, title in ((axes[0], paths, "MADE: paths"), (axes[1], jacobian, "attention: Jacobian")):
        _matrix(matrix.abs(), ax)
        ax.set(title=title, xlabel="input j", ylabel="output i")
    plt.show()


# --------------------------------------------------------------------------- sampling, step by step


DIM, HIDDEN = 8, 10  # of the net that is drawn


def wires() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """A masked net of two hidden layers: degrees and heights of its units, connections and their step."""
    inside = 1 + np.arange(HIDDEN) * (DIM - 1) // HIDDEN
    columns = [np.arange(1, DIM + 1), inside, inside, np.arange(DIM)]  # how many variables a unit waits for
    heights = [np.linspace(1, 0, len(column)) for column in columns]
    edges, due = [], []
    for layer in range(3):
        for a, before in enumerate(columns[layer]):
            for b, after in enumerate(columns[layer + 1]):
                if after >= before:
                    edges.append([(layer, heights[layer][a]), (layer + 1, heights[layer + 1][b])])
                    due.append(after + (layer == 2))  # the step at which this connection can be used
    return columns, heights, np.array(edges), np.array(due)


def net(step: int = 4, once: bool = True) -> None:
    """The connections that are used at a step, and how many have been used so far.

    Args:
        step: 0 to 8.
        once: each unit once, when its inputs are known; else the whole net at every step.
    """
    columns, heights, edges, due = wires()
    axes = placed(2, (5.8, 2.6), widths=(1.5, 1), left=0.02, right=0.99, bottom=0.17, top=0.88, wspace=0.25)
    busy = (due == step) if once else np.full(len(edges), step > 0)
    colors = np.where(busy, plots.X_COLOR, np.where((due < step) & once, "#777777", "#DDDDDD"))
    widths = np.where(busy, 1.0, 0.5) * scale()
    axes[0].add_collection(LineCollection(list(edges), colors=list(colors), linewidths=widths))
    for layer, (column, y) in enumerate(zip(columns, heights, strict=True)):
        shade = plots.X_COLOR if layer == 0 else plots.MAP_COLOR
        shades = [shade if known else "#CCCCCC" for known in column <= step - (layer == 3)]
        axes[0].scatter(np.full(len(y), layer), y, s=28 * scale() ** 2, c=shades, zorder=3)
    axes[0].set(xlim=(-0.2, 3.2), ylim=(-0.08, 1.08), title="x  →  hidden units  →  μ, α")
    axes[0].set_axis_off()
    steps = np.arange(step + 1)
    style = {"marker": "o", "ms": 3 * scale()}
    axes[1].plot(steps, steps * len(edges), color=plots.MAP_COLOR, **style)
    axes[1].plot(steps, [(due <= k).sum() for k in steps], color=plots.X_COLOR, **style)
    axes[1].set(xlim=(0, DIM + 0.3), ylim=(0, 1160), xlabel="step", title="connections used")
    axes[1].text(0.4, 1020, "whole net", color=plots.MAP_COLOR)
    axes[1].text(0.4, 900, "each unit once", color=plots.X_COLOR)
    plt.show()


def timing(sizes: Sequence[int], measured: Sequence[tuple[float, float, float]]) -> None:
    """Milliseconds of D passes, of incremental sampling and of one pass by D; the gain of the second."""
    naive, fast, single = np.array(measured).T
    axes = plots.new_axes(1, 2, size=(8.0, 2.9))
    axes[0].plot(sizes, naive, "o-", color=plots.MAP_COLOR, label="sample, D passes")
    axes[0].plot(sizes, fast, "o-", color=plots.X_COLOR, label="sample, incremental")
    axes[0].plot(sizes, single, "o--", color=plots.REFERENCE_COLOR, label="score, one pass")
    axes[0].set(ylabel="milliseconds for 512 rows")
    axes[1].plot(sizes, naive / fast, "o-", color=plots.X_COLOR)
    axes[1].set(ylabel="times faster than D passes")
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel="dimension D", xticks=sizes, xticklabels=sizes)
        ax.minorticks_off()
    axes[0].legend()
    plt.show()


def race(measured: Mapping[int, tuple[float, float]]) -> None:
    """Two bars for each dimension D, on a logarithmic axis.

    Args:
        measured: D -> milliseconds of D passes, and of each unit once.
    """
    (ax,) = placed(size=(5.6, 2.5), left=0.14, right=0.9, bottom=0.2, top=0.88)
    for row, (naive, fast) in enumerate(measured.values()):
        for shift, value, color in ((-0.2, naive, plots.MAP_COLOR), (0.2, fast, plots.X_COLOR)):
            bar = ax.barh(row + shift, value, 0.36, color=color)
            ax.bar_label(bar, [f"{value:,.0f}"], padding=4, color=color)
    ax.set(xscale="log", xlim=(0.5, 2 * max(map(max, measured.values()))), xlabel="milliseconds for 512 rows")
    ax.set(yticks=range(len(measured)), yticklabels=[f"D = {dim}" for dim in measured])
    ax.invert_yaxis()
    ax.set_title("D passes (grey), each unit once (vermilion)")
    plt.show()


def rounds(curves: Mapping[str, Sequence[float]], tolerance: float) -> None:
    """The largest error after each round of the all-at-once iteration, three curves."""
    ax = plots.new_axes(size=(5.6, 2.9))
    colors = (plots.X_COLOR, plots.Z_COLOR, plots.MAP_COLOR)
    for (name, errors), color in zip(curves.items(), colors, strict=True):
        shown = [error for error in errors if error > 0]  # after D rounds there is none
        ax.plot(range(1, len(shown) + 1), shown, "o-", ms=3 * scale(), color=color, label=name)
    ax.axhline(tolerance, color=plots.REFERENCE_COLOR, ls="--", lw=1)
    ax.set(xscale="log", yscale="log", ylim=(1e-13, 1e2), xlabel="rounds", ylabel="largest error in x")
    ticks = [2**k for k in range(7)]
    ax.set(xticks=ticks, xticklabels=list(map(str, ticks)))
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()


# --------------------------------------------------------------------------- what was learned


def densities(
    panels: Mapping[str, Density],
    bounds: float | Sequence[float],
    *,
    vmax: float | None = None,
    names: tuple[str, str] = ("$x_1$", "$x_2$"),
) -> None:
    """Densities side by side on one window: title -> flow or log-density."""
    axes = plots.new_axes(1, len(panels), size=(2.4 * len(panels), 2.5))
    for ax, (title, density) in zip(axes, panels.items(), strict=True):
        plots.density_map(density, bounds, title=title, vmax=vmax, ax=ax)
        ax.set(xlabel=names[0], ylabel=names[1])
    plt.show()


def samples(panels: Mapping[str, Tensor], bounds: float) -> None:
    """Points side by side on one window: title -> (n, 2)."""
    axes = plots.new_axes(1, len(panels), size=(2.5 * len(panels), 2.5))
    for ax, (title, points) in zip(axes, panels.items(), strict=True):
        plots.scatter_samples(points, bounds, title=title, ax=ax)
    plt.show()


def over_seeds(rows: Sequence[Mapping], name: str, value: str, xlabel: str) -> None:
    """One dot a training, a line for each kind of model, on a logarithmic axis.

    Args:
        rows: a table of assets/results.
        name, value: the columns that name the model and hold the number.
    """
    kinds = list(dict.fromkeys(row[name] for row in rows))[::-1]
    ax = plots.new_axes(size=(5.6, 0.55 + 0.32 * len(kinds)))
    for row in rows:
        ax.plot(row[value], kinds.index(row[name]), "o", color=plots.X_COLOR, alpha=0.6, ms=5 * scale())
    ax.set(xscale="log", xlabel=xlabel, yticks=range(len(kinds)), yticklabels=kinds)
    ax.set_ylim(-0.6, len(kinds) - 0.4)
    ax.grid(axis="x", lw=0.4, color="#cccccc")
    plt.show()


def diamonds(real: Tensor, made_up: Tensor, columns: Sequence[str]) -> None:
    """Price against carat, held out and sampled; then height against length, one over the other."""
    carat, price, length, height = (list(columns).index(name) for name in ("carat", "price", "x", "z"))
    axes = plots.new_axes(1, 3, size=(8.8, 2.9))
    panels = ((axes[0], real, "held out", plots.MAP_COLOR), (axes[1], made_up, "sampled", plots.X_COLOR))
    for ax, rows, name, color in panels:
        ax.plot(rows[:, carat], rows[:, price], ".", color=color, ms=2, alpha=0.6)
        axes[2].plot(rows[:, length], rows[:, height], ".", color=color, ms=2, alpha=0.6, label=name)
        ax.set(title=name, xlabel="carat", ylabel="price ($)", xscale="log", yscale="log")
        ax.set(xticks=(0.3, 0.5, 1, 1.5, 2), xticklabels=("0.3", "0.5", "1", "1.5", "2"))
        ax.set(xlim=(0.24, 2.6), ylim=(300, 20_000))
        ax.minorticks_off()
    axes[2].set(xlabel="length x (mm)", ylabel="height z (mm)", xlim=(3.8, 8.8), ylim=(2.2, 5.6))
    axes[2].legend(markerscale=5)
    plt.show()
