"""The pictures of lesson 4: what a coupling does to a grid, who depends on whom, seeds as dots."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

from flowlib import data, plots
from flowlib.bijection import Bijection
from flowlib.coupling import make_mask
from flowlib.drawing import Density, new_axes
from flowlib.flow import Flow
from flowlib.pictures.stage import placed, scale
from flowlib.training import History

__all__ = [
    "area",
    "areas",
    "areas_table",
    "coupling",
    "densities",
    "dots",
    "grid_cell",
    "interpolation",
    "jacobians",
    "masks",
    "overfitting",
    "roc",
    "sheared",
    "shift_errors",
    "temperatures",
    "toys",
]

Rows = Sequence[Mapping]  # a table of assets/results
MOONS = (-1.8, 2.8, -1.4, 1.9)


# --------------------------------------------------------------------------- one coupling, by sliders


EDGES = torch.linspace(-2, 2, 9)
GAP = torch.tensor([math.nan])  # lifts the pen between lines
ROWS = torch.cartesian_prod(EDGES, torch.cat([EDGES[[0, -1]], GAP])).flip(1)
COLUMNS = torch.cartesian_prod(EDGES, torch.cat([torch.linspace(-2, 2, 161), GAP]))


def coupling(shift: float = 1.0, wiggle: float = 2.0, stretch: float = 0.6, row: int = 6) -> None:
    """A grid, and its image under x1 = z1 e^s + t with s = stretch tanh(z2) and t = shift sin(wiggle z2).

    Args:
        row: in which row of the grid, 0 to 7, the filled cell lies.
    """
    cell, height = grid_cell(EDGES[row].item()), EDGES[row].item() + 0.25

    def move(z: Tensor) -> Tensor:
        s, t = stretch * torch.tanh(z[:, 1]), shift * torch.sin(wiggle * z[:, 1])
        return torch.stack([z[:, 0] * s.exp() + t, z[:, 1]], 1)  # (4.2)

    size = scale()
    axes = placed(
        2, (5.86, 2.28), widths=(4.8, 12.2), left=0.07, right=0.995, bottom=0.18, top=0.88, wspace=0.2
    )
    for ax, kind in zip(axes, "zx", strict=True):
        for lines, color, width in ((ROWS, "#999999", 0.56), (COLUMNS, plots.MAP_COLOR, 0.84)):
            ax.plot(*(lines if kind == "z" else move(lines)).T, color=color, lw=width * size)
        ax.fill(*(cell if kind == "z" else move(cell)).T, color=plots.COLORS[kind], lw=0)
        ax.set(xlabel=f"${kind}_1$", ylabel=f"${kind}_2$", aspect="equal", ylim=(-2.4, 2.4))
    axes[0].set(xlim=(-2.4, 2.4), title="z")
    times, s = area(move(cell)) / area(cell), stretch * math.tanh(height)
    axes[1].set(xlim=(-6.1, 6.1), title=f"x: cell's area × {times:.2f},   $e^s$ = {math.exp(s):.2f}")
    plt.show()


def grid_cell(height: float) -> Tensor:
    """The outline of a square half a unit wide, right of the axis, that stands at this height."""
    up, across = height + torch.linspace(0, 0.5, 41), torch.full((41,), 0.5)
    return torch.cat([torch.stack([0 * across, up], 1), torch.stack([across, up], 1).flip(0)])


def sheared(slide: Callable, cell: Tensor) -> None:
    """A grid with one cell, and where (4.1) takes them: both on one scale, so that areas can be compared.

    Args:
        slide: from z to (x, log_det).
        cell: its outline, as points (n, 2).
    """
    size, limits = scale(), ((-3.3, 3.3), (-3.3, 5.6))
    figure, axes = plt.subplots(
        1,
        2,
        figsize=(6.7 * size, 2.7 * size),
        width_ratios=[right - left for left, right in limits],
        layout="none",
    )
    figure.subplots_adjust(left=0.08, right=0.99, bottom=0.17, top=0.97, wspace=0.17)
    plots.warped_grid(slide, 3.0, lines=13, box=False, axes=axes)
    for ax, kind, outline, sides in zip(axes, "zx", (cell, slide(cell)[0]), limits, strict=True):
        ax.fill(*outline.T, color=plots.COLORS[kind], lw=0, zorder=3)
        ax.set(xlim=sides, ylim=limits[0])
    plt.show()


def area(outline: Tensor) -> float:
    """The area inside a closed line of points (n, 2)."""
    following = outline.roll(-1, 0)
    cross = outline[:, 0] * following[:, 1] - following[:, 0] * outline[:, 1]
    return 0.5 * cross.sum().abs().item()


# --------------------------------------------------------------------------- who depends on whom


def jacobians(maps: Mapping[str, Callable], point: Tensor) -> list[int]:
    """The Jacobians of some maps at one point, side by side; exact zeros are dotted, and counted."""
    axes = new_axes(1, len(maps), size=(2.9 * len(maps) + 0.6, 2.6))
    for ax, (title, move) in zip(axes, maps.items(), strict=True):
        plots.jacobian_pattern(move, point, ax=ax)
        ax.set_title(title)
    plt.show()
    return [int((ax.images[0].get_array() == 0).sum()) for ax in axes]


def masks() -> None:
    """The four usual masks, white for what stays."""
    _, axes = plt.subplots(1, 4, figsize=(7.6, 1.9), width_ratios=(2, 2, 1.4, 1.4))
    white = {"cmap": "gray", "vmin": -0.25, "vmax": 1}
    for ax, kind in zip(axes[:2], ("half", "alternating"), strict=True):
        mask = make_mask(8, kind)
        ax.imshow(torch.stack([mask, ~mask]), aspect="auto", **white)
        ax.set(title=kind, xlabel="variable", xticks=range(8), xticklabels=range(1, 9), yticks=(0, 1))
        ax.set_yticklabels(("layer 1", "layer 2"))
    axes[1].set_yticklabels(())
    axes[2].imshow(make_mask((1, 8, 8), "checkerboard")[0], **white)
    axes[3].imshow(make_mask((4, 1, 1), "channel").flatten()[:, None], **white)
    axes[2].set(title="checkerboard", xlabel="pixel", xticks=(), yticks=())
    axes[3].set(title="channel", ylabel="channel", xticks=(), yticks=range(4), yticklabels=range(1, 5))
    plt.show()


# --------------------------------------------------------------------------- what was learned


def overfitting(history: History, flow: Flow) -> None:
    """The losses on few points; the banana's exact density, and one learned from many points."""
    _, axes = plt.subplots(1, 3, figsize=(9.0, 2.8), width_ratios=(1.3, 1, 1))
    plots.learning_curve(history, reference=data.BANANA_ENTROPY, ax=axes[0])
    axes[0].set(title="128 points", ylim=(3.15, 4.6))
    box = (-4, 9, -6.5, 6.5)
    plots.density_map(data.banana_log_prob, box, title="exact", ax=axes[1])
    plots.density_map(flow, box, title="RealNVP, 1,024 points", ax=axes[2])
    plt.show()


def toys(moons: Flow, board: Flow, spirals: Flow) -> None:
    """Density above, 3,000 samples below."""
    axes = new_axes(2, 3, size=(7.6, 5.0)).reshape(2, 3)
    boxes: list[float | Sequence[float]] = [MOONS, 4.6, 3.8]
    names = "two moons", "checkerboard", "spirals"
    for column, (flow, box, name) in enumerate(zip((moons, board, spirals), boxes, names, strict=True)):
        plots.density_map(flow, box, title=name, ax=axes[0, column])
        draws = flow.sample(3000, generator=torch.Generator().manual_seed(0))
        plots.scatter_samples(draws, box, ax=axes[1, column])
    plt.show()


def densities(maps: Mapping[str, Density], bounds: float, vmax: float | None = None) -> None:
    """Densities on the plane, side by side and on one scale of colours if `vmax` is given."""
    axes = new_axes(1, len(maps), size=(2.5 * len(maps), 2.5))
    for ax, (title, density) in zip(axes, maps.items(), strict=True):
        plots.density_map(density, bounds, title=title, vmax=vmax, ax=ax)
    plt.show()


def interpolation(bijection: Bijection, points: Tensor, z_line: Tensor, straight: Tensor) -> None:
    """A straight line in z, its image, and the straight line in x (dashed) between the same ends."""
    with torch.no_grad():
        latents, way = bijection.inverse(points)[0], bijection(z_line)[0]
    axes = new_axes(1, 2, size=(6.2, 2.5))
    plots.scatter_samples(latents, 3.4, kind="z", title="straight in z", ax=axes[0])
    plots.scatter_samples(points, MOONS, title="its image, and straight in x", ax=axes[1])
    axes[0].plot(*z_line.T.cpu(), color="black")
    axes[1].plot(*way.T.cpu(), color="black")
    axes[1].plot(*straight.T.cpu(), color="black", ls="--", lw=1.2)
    plt.show()


def temperatures(samples: Mapping[float, Tensor], typical: Mapping[float, float]) -> None:
    """Samples at some temperatures, each with its mean log-density in the title."""
    axes = new_axes(1, len(samples), size=(7.6, 2.5))
    for ax, (tau, points) in zip(axes, samples.items(), strict=True):
        title = f"τ = {tau}: mean log p {typical[tau]:.2f}"
        plots.scatter_samples(points[:2000], MOONS, title=title, ax=ax)
    plt.show()


def roc(label: Tensor, scores: Mapping[str, Tensor]) -> None:
    """ROC curves of some scores for one label, the last one in vermilion."""
    ax = new_axes(size=(3.8, 3.2))
    for (name, score), style in zip(scores.items(), (":", "--", "-"), strict=True):
        false, true, _ = roc_curve(label, score)
        color = plots.X_COLOR if style == "-" else plots.MAP_COLOR
        ax.plot(false, true, ls=style, color=color, label=f"{name}: {roc_auc_score(label, score):.2f}")
    ax.set(xlabel="false alarms", ylabel="corrupted records found", title="one of the corruptions")
    ax.legend()
    plt.show()


def areas(label: Tensor, scores: Mapping[str, Tensor]) -> dict[str, float]:
    """The areas under these curves."""
    return {name: float(roc_auc_score(label, score)) for name, score in scores.items()}


def areas_table(tried: Sequence[Mapping[str, float]], by_column: Mapping[str, Mapping[str, float]]) -> str:
    """Areas in words: over all records, mean and deviation of some corruptions, then for each column.

    Args:
        tried: model -> area, for each corruption.
        by_column: corrupted column -> model -> area.
    """
    lines = [f"{'area under the curve':20s}{'all':>12s}" + "".join(f"{name:>13s}" for name in by_column)]
    for model in tried[0]:
        every = torch.tensor([areas[model] for areas in tried])
        found = "".join(f"{areas[model]:13.2f}" for areas in by_column.values())
        lines.append(f"{model:20s}{every.mean():5.2f} ± {every.std():.2f}{found}")
    return "\n".join(lines)


# --------------------------------------------------------------------------- comparisons over seeds


def dots(
    rows: Rows,
    by: str,
    value: str = "nll",
    *,
    ylabel: str = "held-out NLL (nats)",
    reference: float | None = None,
    top: float = math.inf,
    ax: Axes | None = None,
) -> None:
    """A dot for each seed, a line at the mean of its group; a dashed reference.

    Args:
        by: the column that names the groups, in the order of the rows.
        value: the column that is drawn.
        reference: a value that all are compared with.
        top: values above it are drawn there, as triangles, and their group has no mean.
    """
    groups: dict = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row[value])
    own = ax or new_axes(size=(0.9 * len(groups) + 1.8, 2.6))
    for place, values in enumerate(groups.values()):
        for k, found in enumerate(values):
            x, mark = place + 0.06 * (k - (len(values) - 1) / 2), "^" if found > top else "o"
            own.plot(x, min(found, top), mark, color=plots.X_COLOR, ms=4.5 * scale(), alpha=0.8)
        if max(values) <= top:
            mean = sum(values) / len(values)
            own.plot([place - 0.25, place + 0.25], [mean, mean], color=plots.MAP_COLOR)
    if reference is not None:
        own.axhline(reference, color=plots.REFERENCE_COLOR, ls="--", lw=1)
    own.set(xlabel=by, ylabel=ylabel, xlim=(-0.6, len(groups) - 0.4))
    own.set(xticks=range(len(groups)), xticklabels=list(groups))
    if ax is None:
        plt.show()


def shift_errors(width: float, seeds: Rows) -> None:
    """What an error of the network's shift costs, for both readings of the formula; trainings beside it.

    Args:
        width: the standard deviation that e^s gives to the data at this place.
        seeds: the table `directions` of the results.
    """
    _, axes = plt.subplots(1, 2, figsize=(7.6, 2.7), width_ratios=(1.1, 1))
    error = torch.linspace(-0.5, 0.5, 201)
    for factor, color, style, name in (
        (1 / width, plots.MAP_COLOR, "--", "$x = z e^s + t$"),
        (1.0, plots.X_COLOR, "-", "$z = x e^s + t$"),
    ):
        axes[0].plot(error, 0.5 * (factor * error) ** 2, color=color, ls=style, label=name)
    axes[0].set(xlabel="error of t", ylabel="loss (nats)", ylim=(-0.1, 3.8))
    axes[0].set_title(f"data of width {width} at this place")
    axes[0].legend(loc="upper center")
    named = [dict(row) | {"formula": f"from {row['formula from']}\n|s| < {row['bound']:g}"} for row in seeds]
    dots(sorted(named, key=lambda row: row["formula"], reverse=True), "formula", top=5, ax=axes[1])
    axes[1].set(xlabel="", title="houses, four seeds each", ylim=(4, 5.1))
    plt.show()
