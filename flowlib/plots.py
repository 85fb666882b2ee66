"""One visual language for the whole course.

z is blue, x is vermilion, the map between them dark grey, a reference black and dashed; densities are
drawn in seaborn's `mako`, differences in `vlag`; z stands left of x. Every function draws on the axes
it is given (`ax=`) or on new ones, and returns its axes: one `Axes`, or an array of them. None calls
`plt.show()` and none changes a global setting, except `use_style`.

Where a density is asked for, pass a Flow, a torch.distributions object, or a function that maps
points to log-densities. Flows, distributions and tensors may live on any device; a function is given
points on the CPU, unless it is a method of a flow or a distribution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from flowlib import moved
from flowlib.bijection import Bijection
from flowlib.drawing import (
    COLORS,
    CYCLE,
    MAKO,
    MAP_COLOR,
    REFERENCE_COLOR,
    VLAG,
    X_COLOR,
    Z_COLOR,
    Z_TO_X,
    Color,
    Density,
    as_input,
    box_of,
    by_angle,
    draws_of,
    frame_plane,
    label_ends,
    log_prob_1d,
    new_axes,
    numbers_of,
    on_grid,
    outline_of,
    path_of,
    tidy_ticks,
    window_around,
    write_beside,
)
from flowlib.flow import Flow
from flowlib.training import History

__all__ = [
    "COLORS", "CYCLE", "MAKO", "MAP_COLOR", "REFERENCE_COLOR", "VLAG", "X_COLOR", "Z_COLOR",
    "Z_TO_X", "animate_trace", "density_1d", "density_difference", "density_map", "image_grid",
    "jacobian_pattern", "learning_curve", "scatter_samples", "trace_panels", "transport_triptych",
    "use_style", "warped_grid",
]  # fmt: skip


def use_style(scale: float = 1.0) -> None:
    """Set matplotlib's defaults for the course, once a notebook; `scale=1.5` suits a lecture hall."""
    plt.rcParams.update(
        {
            "figure.figsize": (4.4 * scale, 3.0 * scale),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "savefig.dpi": 150,
            "font.size": 9.5 * scale,
            "axes.titlesize": 10 * scale,
            "axes.labelsize": 10 * scale,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.6 * scale,
            "axes.edgecolor": "#666666",
            "axes.prop_cycle": plt.cycler(color=CYCLE),
            "xtick.color": "#444444",
            "ytick.color": "#444444",
            "xtick.major.width": 0.6 * scale,
            "ytick.major.width": 0.6 * scale,
            "xtick.major.size": 3 * scale,
            "ytick.major.size": 3 * scale,
            "xtick.labelsize": 8.5 * scale,
            "ytick.labelsize": 8.5 * scale,
            "lines.linewidth": 1.7 * scale,
            "lines.solid_capstyle": "round",
            "legend.frameon": False,
            "legend.fontsize": 8.5 * scale,
            "image.cmap": "mako",
        }
    )


# --------------------------------------------------------------------------- one dimension


def density_1d(
    density: Density,
    low: float | None = None,
    high: float | None = None,
    *,
    samples: Tensor | None = None,
    reference: Density | None = None,
    kind: str = "x",
    label: str | None = None,
    color: str | None = None,
    bins: int = 50,
    points: int = 600,
    ax: Axes | None = None,
) -> Axes:
    """A density on the real line, over a histogram of `samples` and beside a dashed `reference`.

    Args:
        density: what to draw; None for the histogram alone.
        low, high: the interval; by default the range of `samples`, or of draws from `density`.
        kind: "x" or "z", for colour and labels.
        label: written beside the curve's highest point.
    """
    ax = ax or new_axes()
    color = color or COLORS[kind]
    seen = None if samples is None else numbers_of(samples)
    if low is None or high is None:
        found = numbers_of(draws_of(density, 4000)) if seen is None else seen
        low = float(found.min()) if low is None else low
        high = float(found.max()) if high is None else high
    if seen is not None:
        inside = seen[(seen >= low) & (seen <= high)]
        heights, edges = np.histogram(inside, bins=bins, range=(low, high))
        # Of all samples, not only of those in view: the bars stay comparable with the curve.
        ax.stairs(heights / len(seen) / np.diff(edges), edges, fill=True, color=color, alpha=0.25, lw=0)
    grid = np.linspace(low, high, points)
    if density is not None:
        values = np.exp(log_prob_1d(density, grid))
        ax.plot(grid, values, color=color)
        if label:
            peak = int(np.nanargmax(values))
            write_beside(ax, grid[peak], values[peak], label, color)
    if reference is not None:
        ax.plot(grid, np.exp(log_prob_1d(reference, grid)), color=REFERENCE_COLOR, ls="--", lw=1.1)
    ax.set(xlabel=f"${kind}$", ylabel=f"$p_{kind}({kind})$", xlim=(low, high))
    ax.set_ylim(bottom=0)
    tidy_ticks(ax)
    return ax


def transport_triptych(
    flow: Flow,
    *,
    samples: Tensor | None = None,
    reference: Density | None = None,
    bands: int = 8,
    coverage: float = 0.998,
    bins: int = 50,
    points: int = 2000,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """A one-dimensional flow in three panels: base density, map, data density.

    The shaded bands hold equal probability; each keeps its area on the way from z to x, so where
    the map is steep the band grows wide and the density falls. Needs only the forward direction.

    Args:
        flow: a Flow on event shape () or (1,).
        samples: data to lay under p_x as a histogram.
        reference: a density of x to compare with, dashed.
        bands: how many bands of equal probability.
        coverage: the share of the probability that the axes show.
    """
    axes = np.asarray(axes) if axes is not None else new_axes(1, 3, size=(9.0, 2.6))
    draws = np.sort(numbers_of(draws_of(flow.base, 20_000)))
    z = np.linspace(draws[0], draws[-1], points)
    with torch.no_grad():
        inputs = as_input(z, flow).view(-1, *flow.event_shape)
        outputs, log_det = flow.bijection(inputs)
        p_z = flow.base.log_prob(inputs).exp().double().cpu().numpy()
        x, p_x = numbers_of(outputs), p_z * np.exp(-log_det.double().cpu().numpy())
    mass = np.concatenate([[0.0], np.cumsum(0.5 * (p_z[1:] + p_z[:-1]) * np.diff(z))])
    mass /= mass[-1]
    tail = (1 - coverage) / 2
    shown = (mass >= tail) & (mass <= 1 - tail)
    z, x, p_z, p_x, mass = z[shown], x[shown], p_z[shown], p_x[shown], mass[shown]
    edges = np.searchsorted(mass, np.linspace(0, 1, bands + 1)[1:-1])
    cuts = [0, *edges.tolist(), len(z) - 1]

    for ax, values, density, kind in ((axes[0], z, p_z, "z"), (axes[2], x, p_x, "x")):
        for index, (first, last) in enumerate(itertools.pairwise(cuts)):
            part = slice(first, last + 1)
            shade = 0.42 if index % 2 else 0.2
            ax.fill_between(values[part], density[part], color=COLORS[kind], alpha=shade, lw=0)
        ax.plot(values, density, color=COLORS[kind])
        limits = sorted((values[0], values[-1]))
        ax.set(xlabel=f"${kind}$", ylabel=f"$p_{kind}({kind})$", xlim=limits)
        ax.set_ylim(0, 1.08 * np.quantile(density, 0.999))
    low, high = sorted((x[0], x[-1]))
    if samples is not None:
        heights, steps = np.histogram(numbers_of(samples), bins=bins, range=(low, high))
        heights = heights / len(samples) / np.diff(steps)
        axes[2].stairs(heights, steps, color="#888888", lw=0.8)
        axes[2].set_ylim(top=max(axes[2].get_ylim()[1], 1.05 * heights.max()))
    if reference is not None:
        grid = np.linspace(low, high, 600)
        axes[2].plot(grid, np.exp(log_prob_1d(reference, grid)), color=REFERENCE_COLOR, ls="--", lw=1.1)

    axes[1].plot(z, x, color=MAP_COLOR)
    axes[1].vlines(z[edges], low, x[edges], color=Z_COLOR, lw=0.7, alpha=0.6)
    axes[1].hlines(x[edges], z[0], z[edges], color=X_COLOR, lw=0.7, alpha=0.6)
    axes[1].set(xlabel="$z$", ylabel="$x = f(z)$", xlim=(z[0], z[-1]), ylim=(low, high))
    for ax, title in zip(axes, ("base", "map", "data"), strict=True):
        ax.set_title(title)
        tidy_ticks(ax)
    return axes


# --------------------------------------------------------------------------- two dimensions


def density_map(
    density: Density,
    bounds: float | Sequence[float] = 4.0,
    *,
    log: bool = False,
    kind: str = "x",
    floor: float = -12.0,
    points: int = 200,
    vmax: float | None = None,
    colorbar: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A density on the plane as an image in `mako`.

    Args:
        density: what to draw, on points of shape (n, 2).
        bounds: (left, right, bottom, top), or one number b for (-b, b, -b, b).
        log: draw the log-density, cut off at `floor` nats below its highest value.
        vmax: the density that is drawn brightest; give panels the same to make them comparable.
    """
    ax = ax or new_axes(size=(3.4, 3.2))
    left, right, bottom, top = box_of(bounds)
    values = on_grid(density, (left, right, bottom, top), points)
    if log:
        vmax = np.nanmax(values[np.isfinite(values)]) if vmax is None else vmax
        values, vmin = np.maximum(values, vmax + floor), vmax + floor
    else:
        values, vmin = np.exp(values), 0.0
    image = ax.imshow(
        values,
        extent=(left, right, bottom, top),
        origin="lower",
        cmap=MAKO,
        vmin=vmin,
        vmax=vmax,
        interpolation="bilinear",
        aspect="auto",
    )
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(f"$\\log p_{kind}$ (nats)" if log else f"$p_{kind}$")
    frame_plane(ax, (left, right, bottom, top), kind, title)
    return ax


def density_difference(
    density: Density,
    reference: Density,
    bounds: float | Sequence[float] = 4.0,
    *,
    kind: str = "x",
    points: int = 200,
    colorbar: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """density - reference on the plane in `vlag`: red where there is too much, blue where too little."""
    ax = ax or new_axes(size=(3.4, 3.2))
    box = box_of(bounds)
    values = np.exp(on_grid(density, box, points)) - np.exp(on_grid(reference, box, points))
    most = np.abs(values).max() or 1.0
    image = ax.imshow(values, extent=box, origin="lower", cmap=VLAG, vmin=-most, vmax=most, aspect="auto")
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(f"difference of $p_{kind}$", labelpad=8)
    frame_plane(ax, box, kind, title)
    return ax


def scatter_samples(
    samples: Tensor,
    bounds: float | Sequence[float] | None = None,
    *,
    kind: str = "x",
    color: Color | None = None,
    size: float | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Points on the plane, (n, 2); many points are drawn smaller and fainter.

    Args:
        bounds: as in `density_map`; by default the range of the points.
        color: a colour, or one for each point.

    Raises:
        ValueError: the points do not lie on a plane.
    """
    if samples.dim() != 2 or samples.shape[1] != 2:
        raise ValueError(f"expected points of shape (n, 2), got {tuple(samples.shape)}: choose two columns")
    ax = ax or new_axes(size=(3.4, 3.2))
    points = samples.detach().double().cpu().numpy()
    size = size or float(np.clip(4000 / max(len(points), 1), 1.5, 14))
    alpha = float(np.clip(900 / max(len(points), 1), 0.25, 0.8))
    ax.scatter(
        points[:, 0], points[:, 1], c=COLORS[kind] if color is None else color, s=size, alpha=alpha, lw=0
    )
    frame_plane(ax, box_of(window_around(points) if bounds is None else bounds), kind, title)
    return ax


def warped_grid(
    bijection: Bijection | Flow | Callable,
    bounds: float | Sequence[float] = 2.0,
    *,
    lines: int = 17,
    points: int = 200,
    box: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """A square grid in z and its image in x: where cells grow, the density falls.

    Args:
        bijection: a Bijection on (n, 2), a Flow, or a function from z to x or to (x, log_det).
        bounds: the part of the z plane, as in `density_map`.
        box: fill one cell near the middle, to follow its area.
        axes: two axes, for z and for x.
    """
    axes = np.asarray(axes) if axes is not None else new_axes(1, 2, size=(6.4, 3.1))
    left, right, bottom, top = box_of(bounds)
    move = getattr(bijection, "bijection", bijection)
    across, along = np.linspace(left, right, lines), np.linspace(bottom, top, lines)
    fine_across, fine_along = np.linspace(left, right, points), np.linspace(bottom, top, points)
    vertical = np.stack([np.stack([np.full(points, a), fine_along], 1) for a in across])
    horizontal = np.stack([np.stack([fine_across, np.full(points, b)], 1) for b in along])
    # Both families are shaded along their own axis, so that a line can be followed through the map.
    shades = np.linspace(0.2, 0.85, lines)
    families = ((vertical, MAKO(shades)), (horizontal, seaborn.color_palette("flare", as_cmap=True)(shades)))
    middle = lines // 2
    cell = outline_of(across[middle : middle + 2], along[middle : middle + 2])

    def image(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            x = move(as_input(z.reshape(-1, 2), move))
        return (x[0] if isinstance(x, tuple) else x).double().cpu().numpy().reshape(z.shape)

    for ax, kind in zip(axes, "zx", strict=True):
        for curves, colors in families:
            drawn = curves if kind == "z" else image(curves)
            ax.add_collection(LineCollection(list(drawn), colors=colors, lw=0.9))
        if box:
            ax.fill(*(cell if kind == "z" else image(cell)).T, color=COLORS[kind], alpha=0.85, lw=0, zorder=3)
        ax.autoscale_view()
        ax.set(xlabel=f"${kind}_1$", ylabel=f"${kind}_2$", aspect="equal")
    return axes


def trace_panels(
    flow: Flow,
    *,
    samples: Tensor | None = None,
    panels: int = 5,
    n: int = 1500,
    bounds: float | Sequence[float] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """The stops of `flow.trace` side by side, z at the left and x at the right.

    Each point keeps its colour, that of its angle in z, so that one sees where it goes.

    Args:
        samples: data whose latents are the starting points; by default n draws from the base.
        panels: at most so many stops, the first and last always among them.
        bounds: the window of all panels, as in `density_map`; by default it holds all stops.
    """
    stops = path_of(flow, samples, n, seed)
    chosen = sorted({round(k) for k in np.linspace(0, len(stops) - 1, min(panels, len(stops)))})
    bounds = window_around(torch.cat(stops).double().cpu().numpy(), 0.996) if bounds is None else bounds
    axes = new_axes(1, len(chosen), size=(2.1 * len(chosen), 2.3))
    colors = by_angle(stops[0])
    for ax, index in zip(axes, chosen, strict=True):
        kind = "z" if index == 0 else "x"
        scatter_samples(stops[index], bounds, kind=kind, color=colors, ax=ax)
        last = index == len(stops) - 1
        ax.set_title("$z$" if index == 0 else "$x$" if last else f"after layer {index}")
        ax.set(xlabel="", ylabel="")
    return axes


def animate_trace(
    flow: Flow,
    path: str | Path,
    *,
    samples: Tensor | None = None,
    n: int = 700,
    titles: Sequence[str] | None = None,
    frames_per_step: int = 8,
    hold: int = 10,
    bounds: float | Sequence[float] | None = None,
    size: float = 2.8,
    dpi: int = 80,
    fps: int = 16,
    seed: int = 0,
) -> Path:
    """Write a looping GIF of the points on their way from z to x, one layer after the other.

    Between two stops the points move on straight lines, which is for the eye only: a layer has no
    halfway. The default settings keep an 8-layer flow below 1 MB.

    Args:
        path: where to write; the folder is made if it is missing.
        samples: data whose latents are the starting points; by default n draws from the base.
        titles: one for each move; by default layer 1, layer 2, ….
        frames_per_step, hold: frames between two stops, and extra frames at both ends.
        bounds: the window; by default it holds all stops.
    """
    stops = path_of(flow, samples, n, seed)
    values = np.stack([stop.double().cpu().numpy() for stop in stops])
    bounds = window_around(values.reshape(-1, 2), 0.996) if bounds is None else bounds
    titles = titles or [f"layer {index}" for index in range(1, len(stops))]
    ease = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, frames_per_step, endpoint=False))
    moves = [(k, float(t)) for k in range(len(stops) - 1) for t in ease]
    script = [(0, 0.0)] * hold + moves + [(len(stops) - 1, 0.0)] * 2 * hold

    figure, ax = plt.subplots(figsize=(size, size), dpi=dpi, layout="none")
    figure.subplots_adjust(0.02, 0.02, 0.98, 0.9)
    frame_plane(ax, box_of(bounds), "x", None)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.spines[:].set_visible(False)
    dots = ax.scatter(values[0][:, 0], values[0][:, 1], c=by_angle(stops[0]), s=7, lw=0)
    title = figure.text(0.5, 0.95, "", ha="center", va="center")

    def draw(frame: tuple[int, float]) -> tuple[Artist, ...]:
        index, share = frame
        following = values[min(index + 1, len(values) - 1)]
        dots.set_offsets((1 - share) * values[index] + share * following)
        name = "z" if index == 0 and share == 0 else "x" if index == len(stops) - 1 else titles[index]
        title.set_text(name)
        return dots, title

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, draw, frames=script, blit=False).save(path, PillowWriter(fps=fps), dpi=dpi)
    plt.close(figure)
    return path


# --------------------------------------------------------------------------- training, images, tables


def learning_curve(
    history: History, *, reference: float | None = None, units: str = "nats", ax: Axes | None = None
) -> Axes:
    """The losses that `fit` recorded: training thin, validation bold, the kept weights marked.

    Args:
        history: what `fit` returned.
        reference: a loss to compare with, such as the entropy of the data; dashed.
    """
    ax = ax or new_axes()
    steps, train = np.asarray(history.steps), np.asarray(history.train)
    ax.plot(steps, train, color=MAP_COLOR, lw=1.0, alpha=0.7)
    ends = [(train[-1], "train", MAP_COLOR)]
    if history.valid:
        valid = np.asarray(history.valid)
        ax.plot(steps, valid, color=X_COLOR)
        best = int(np.argmin(valid))
        ax.plot(steps[best], valid[best], "o", color=X_COLOR, ms=4.5)
        ends.append((valid[-1], "valid", X_COLOR))
    if reference is not None:
        ax.plot([0, steps[-1]], [reference, reference], color=REFERENCE_COLOR, ls="--", lw=1.1)
    # A steep start would squeeze the rest into a line; it may leave the picture.
    known = np.concatenate([train, np.asarray(history.valid), [] if reference is None else [reference]])
    low, usual = np.min(known), np.quantile(train, 0.9)
    top = min(ax.get_ylim()[1], low + 4 * (usual - low) + 1e-12)
    ax.set_ylim(low - 0.05 * (top - low), top)
    # A curve that leaves the picture is named where it leaves.
    label_ends(ax, steps[-1], [(min(value, top), text, color) for value, text, color in ends])
    ax.set(xlabel="step", ylabel=f"negative log-likelihood ({units})")
    return ax


def image_grid(
    images: Tensor,
    *,
    columns: int = 10,
    levels: int | None = None,
    rows: Sequence[str] = (),
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Images (n, channels, height, width) as one sheet, row by row, with grey gaps.

    Args:
        levels: the images hold 0 … levels-1; by default they hold 0 … 1. Values outside are cut off.
        rows: names of the rows, written at their left.
    """
    images = (images.detach().double().cpu() / (1 if levels is None else levels - 1)).clamp(0, 1)
    if images.shape[1] == 1:
        images = 1 - images  # ink on paper: digits read best dark on white
    n, channels, height, width = images.shape
    columns = min(columns, n)
    down = math.ceil(n / columns)
    size = down * (height + 1) - 1, columns * (width + 1) - 1
    sheet = torch.full((channels, *size), 0.78, dtype=images.dtype)
    for index, image in enumerate(images):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[:, top : top + height, left : left + width] = image
    ax = ax or new_axes(size=(0.55 * columns, 0.55 * down + (0.3 if title else 0)))
    ax.imshow(
        (sheet[0] if channels == 1 else sheet.permute(1, 2, 0)).numpy(),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    ax.set_axis_off()
    for place, name in enumerate(rows):
        ax.text(-1.5, place * (height + 1) + height / 2, name, ha="right", va="center")
    if title:
        ax.set_title(title)
    return ax


def jacobian_pattern(
    bijection: Bijection | Flow | Callable,
    point: Tensor,
    *,
    inverse: bool = False,
    context: Tensor | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The Jacobian at one point by autograd, in `vlag`; exact zeros are left white and dotted.

    Args:
        bijection: a Bijection, a Flow, or a function from (1, dim) to (1, dim) or to (values, log_det).
        point: where, shape (dim,).
        inverse: show ∂z/∂x instead of ∂x/∂z.
    """
    move: Any = getattr(bijection, "bijection", bijection)
    move = move.inverse if inverse else move

    def single(values: Tensor) -> Tensor:
        out = move(values[None]) if context is None else move(values[None], context)
        return (out[0] if isinstance(out, tuple) else out)[0]

    jacobian = torch.autograd.functional.jacobian(single, point.detach()).double().cpu().numpy()
    ax = ax or new_axes(size=(3.2, 2.9))
    most = np.abs(jacobian).max() or 1.0
    image = ax.imshow(jacobian, cmap=VLAG, vmin=-most, vmax=most)
    rows, columns = np.nonzero(jacobian == 0)
    ax.scatter(columns, rows, s=6, color="#999999", lw=0)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, pad=0.03)
    bar.outline.set_visible(False)
    given, made = ("x", "z") if inverse else ("z", "x")
    bar.set_label(rf"$\partial {made}_i / \partial {given}_j$")
    ax.set(xlabel=f"${given}_j$", ylabel=f"${made}_i$")
    if len(jacobian) <= 12:
        names = range(1, len(jacobian) + 1)
        ax.set(xticks=range(len(jacobian)), yticks=range(len(jacobian)), xticklabels=names, yticklabels=names)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


# --------------------------------------------------------------------------- helpers


__getattr__ = moved.names(__name__)
