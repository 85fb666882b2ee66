"""Lesson 2 in pictures: a matrix carries a box, an ellipse follows the banana, a stack layer by layer.

`box`, `ellipse` and `walk` answer to sliders. All sizes follow the font of `plots.use_style`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from flowlib import data, plots
from flowlib.drawing import new_axes
from flowlib.flow import Flow, Stop
from flowlib.pictures.stage import placed
from flowlib.training import History

__all__ = [
    "box",
    "carried",
    "costs",
    "creases",
    "densities",
    "ellipse",
    "houses",
    "losses",
    "rings",
    "seeds",
    "walk",
]


# --- sliders -----------------------------------------------------------------------------------


def _rotation(degrees: float) -> Tensor:
    angle = math.radians(degrees)
    return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def box(turn: float = 30, first: float = 1.6, second: float = 0.7, shear: float = 0.0) -> None:
    """The unit square and a round cloud, and where A = rotation · [[first, shear], [0, second]] puts them.

    Args:
        turn: degrees, counter-clockwise.
        first, second: the two stretches; their product is det A. At 0 the plane is pressed flat.
    """
    A = _rotation(turn) @ torch.tensor([[first, shear], [0.0, second]])
    det = first * second if abs(first * second) > 1e-9 else 0.0
    draws = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    axes = placed(2, (5.6, 2.4), left=0.08, right=0.99, bottom=0.17, top=0.88, wspace=0.25)
    for ax, matrix, kind in ((axes[0], torch.eye(2), "z"), (axes[1], A, "x")):
        ax.plot(*(draws @ matrix.T).T, ".", color=plots.COLORS[kind], alpha=0.4, ms=_dot(2.3))
        ax.fill(*(square @ matrix.T).T, color=plots.COLORS[kind], alpha=0.85, lw=0, zorder=3)
        ax.set(xlim=(-6, 6), ylim=(-4, 4), aspect="equal", xlabel=f"${kind}_1$", ylabel=f"${kind}_2$")
    axes[0].set_title("area 1")
    words = f"log_det {math.log(abs(det)):+.2f}" if det else "flat: no inverse"
    axes[1].set_title(f"det A = {det:+.2f}, {words}")
    plt.show()


def ellipse(wide: float = 1.0, tall: float = 1.0, tilt: float = 0, right: float = 0.0) -> None:
    """The banana under the ellipses of one affine map of a normal; the title counts the nats that it misses.

    Args:
        wide, tall: deviations along the two axes of the ellipse.
        tilt: degrees, counter-clockwise.
        right: where its centre lies on the first axis.
    """
    mean, covariance = torch.tensor([1.0, 0.0]), torch.diag(torch.tensor([3.0, 4.0]))  # the banana's, exact
    A, shift = _rotation(tilt) * torch.tensor([wide, tall]), torch.tensor([right, 0.0])
    spread = torch.linalg.solve(A @ A.T, covariance + torch.outer(mean - shift, mean - shift))
    cross_entropy = math.log(2 * math.pi * wide * tall) + 0.5 * spread.trace().item()
    turn = torch.linspace(0, 2 * math.pi, 100)
    circle = torch.stack([turn.cos(), turn.sin()], 1)
    (ax,) = placed(1, (3.5, 2.4), left=0.14, right=0.98, bottom=0.17, top=0.9)
    ax.plot(*data.banana(700, seed=0).T, ".", color=plots.X_COLOR, alpha=0.5, ms=_dot(1.9))
    for radius in (1, 2, 3):
        ax.plot(*(radius * circle @ A.T + shift).T, color=plots.MAP_COLOR)
    ax.set(xlim=(-6, 10), ylim=(-7, 7), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    ax.set_title(f"{cross_entropy - data.BANANA_ENTROPY:.3f} nats missing")
    plt.show()


def walk(stops: Sequence[Stop], layer: int) -> None:
    """Points after so many layers of `flow.path`, and their log-determinants on the whole way.

    The window follows the points: a layer may move them far.
    """
    name, value, _ = stops[layer]
    log_dets = torch.stack([stop.log_det for stop in stops]).unique(dim=1)  # many points share one
    axes = placed(2, (5.6, 2.4), left=0.08, right=0.99, bottom=0.17, top=0.88, wspace=0.25)
    axes[0].scatter(*value.T, s=_dot(2.5) ** 2, c=stops[0].value[:, 0], cmap=plots.Z_TO_X, lw=0)
    centre = value.median(0).values.tolist()
    axes[0].set(xlim=(centre[0] - 8, centre[0] + 9), ylim=(centre[1] - 7, centre[1] + 7))
    title = f"after layer {layer}: {name}" if layer else "z"
    axes[0].set(title=title, xlabel="first coordinate", ylabel="second")
    axes[1].plot(log_dets, color=plots.MAP_COLOR, lw=_dot(0.6))
    axes[1].plot([layer] * log_dets.shape[1], log_dets[layer], "o", color=plots.X_COLOR, ms=_dot(4))
    axes[1].set(title="log_det so far, per point", xlabel="layer", ylabel="nats")
    plt.show()


def _dot(size: float) -> float:
    """Points of a marker or a line, for the lesson's font."""
    return size * plt.rcParams["font.size"] / 9.5


# --- maps and densities ------------------------------------------------------------------------


def carried(corners: Tensor, points: Tensor, move: Callable[[Tensor], Tensor]) -> None:
    """A polygon filled with points, and the image of both under `move` in the same window."""
    axes = new_axes(1, 2, size=(7.0, 2.4))
    for ax, carry, kind in ((axes[0], lambda z: z, "z"), (axes[1], move, "x")):
        ax.fill(*carry(corners).T, color=plots.COLORS[kind], alpha=0.3, lw=0)
        plots.scatter_samples(carry(points), (-0.4, 4.4, -0.4, 1.9), kind=kind, ax=ax)
    plt.show()


def rings(z: Tensor, move: Callable[[Tensor], Tensor]) -> None:
    """A cloud with the circles of radius 1 and 2, and their images under `move`."""
    turn = torch.linspace(0, 2 * math.pi, 200)
    axes = new_axes(1, 2, size=(7.4, 3.0))
    for ax, carry, kind in ((axes[0], lambda z: z, "z"), (axes[1], move, "x")):
        plots.scatter_samples(carry(z), (-6, 8, -4.5, 4.5), kind=kind, ax=ax)
        for radius in (1, 2):
            circle = radius * torch.stack([turn.cos(), turn.sin()], 1)
            ax.plot(*carry(circle).T, color=plots.REFERENCE_COLOR, ls="--", lw=1.0)
    plt.show()


def densities(
    models: Mapping[str, object], bounds: float | Sequence[float], samples: Tensor | None = None
) -> None:
    """Named densities side by side in one window, `samples` at their left."""
    panels = len(models) + (samples is not None)
    axes = new_axes(1, panels, size=(2.2 + 1.9 * (panels - 1), 2.7))
    if samples is not None:
        plots.scatter_samples(samples, bounds, title=f"{len(samples):,} points of data", ax=axes[0])
    for ax, (name, model) in zip(axes[-len(models) :], models.items(), strict=True):
        plots.density_map(model, bounds, title=name, ax=ax)
    for ax in axes[1:]:
        ax.set(ylabel="", yticklabels=[])
    plt.show()


def houses(models: Mapping[str, Flow], test: Tensor, sold: Tensor, drawn: Tensor) -> None:
    """Densities under the test houses, in standard units; then sold and drawn houses in $ and square feet."""
    axes = new_axes(1, 3, size=(8.6, 2.9))
    for ax, (name, flow) in zip(axes, models.items(), strict=False):
        plots.density_map(flow, 3.5, title=name, ax=ax)
        ax.scatter(*test.T, s=2, color="white", alpha=0.5, lw=0)
        ax.set(xlabel="log price (standardised)", ylabel="log area (standardised)")
    for rows, color, name in ((sold, "#888888", "sold"), (drawn, plots.X_COLOR, "drawn")):
        axes[2].scatter(rows[:, 0] / 1000, rows[:, 1], s=5, color=color, alpha=0.6, lw=0, label=name)
    axes[2].set(xlabel="price (1,000 $)", ylabel="living area (sq ft)", xlim=(0, 600), ylim=(0, 4200))
    axes[2].legend(markerscale=2)
    plt.show()


def creases(flow: Flow, bounds: Sequence[float]) -> None:
    """What a stack with kinks does to a grid, and its log-density."""
    axes = new_axes(1, 3, size=(8.6, 2.9))
    plots.warped_grid(flow, 2.5, axes=axes[:2])
    plots.density_map(flow, bounds, log=True, floor=-5, title=r"$\log p_x$", ax=axes[2])
    plt.show()


# --- curves ------------------------------------------------------------------------------------


def costs(sizes: Sequence[int], times: Mapping[str, Sequence[float]]) -> None:
    """Milliseconds against the dimension, on logarithmic axes."""
    ax = new_axes(size=(5.6, 3.0))
    for (name, spent), color in zip(
        times.items(), (plots.X_COLOR, plots.Z_COLOR, plots.MAP_COLOR), strict=True
    ):
        ax.plot(sizes, spent, marker="o", ms=3, color=color, label=name)
    ax.set(xscale="log", yscale="log", xlabel="$D$", ylabel="time (ms)", xticks=sizes, xticklabels=sizes)
    ax.minorticks_off()
    ax.legend()
    plt.show()


def losses(histories: Mapping[str, History], best: float) -> None:
    """Training curves of several models; dashed, the lowest loss that any of them can honestly have."""
    ax = new_axes(size=(5.2, 2.7))
    for (name, history), color in zip(histories.items(), (plots.X_COLOR, plots.Z_COLOR), strict=True):
        ax.plot(history.steps, history.train, color=color, label=name)
    ax.axhline(best, color=plots.REFERENCE_COLOR, ls="--", lw=1.1)
    ax.set(xlabel="step", ylabel="training NLL (nats)", title="best possible dashed")
    ax.legend()
    plt.show()


def seeds(groups: Mapping[str, Sequence[float]], label: str, lines: Mapping[str, float]) -> None:
    """One dot for each seed, a row for each group; named dashed lines to compare with."""
    ax = new_axes(size=(6.4, 0.7 + 0.28 * len(groups)))
    for row, values in enumerate(groups.values()):
        ax.plot(values, [row] * len(values), "o", color=plots.X_COLOR, alpha=0.6, ms=4.5, mew=0)
    for name, value in lines.items():
        ax.axvline(value, color=plots.REFERENCE_COLOR, ls="--", lw=1.1)
        ax.annotate(name, (value, -0.6), xytext=(3, 0), textcoords="offset points", fontsize="small")
    ax.set(xlabel=label, yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.5, -0.9))
    plt.show()
