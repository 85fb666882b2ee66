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
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.ticker import EngFormatter, MaxNLocator
from torch import Tensor

from flowlib import moved
from flowlib.base import Base
from flowlib.bijection import Bijection
from flowlib.flow import Flow
from flowlib.training import History

__all__ = [
    "COLORS", "CYCLE", "MAKO", "MAP_COLOR", "REFERENCE_COLOR", "VLAG", "X_COLOR", "Z_COLOR", "Z_TO_X",
    "animate_trace", "density_1d", "density_difference", "density_map", "image_grid",
    "jacobian_pattern", "learning_curve", "scatter_samples", "trace_panels", "trade_off",
    "transport_triptych", "use_style", "warped_grid",
]  # fmt: skip

Density = Any  # a Flow, a base, a torch.distributions object, or a function from points to log-densities
Color = Any  # what matplotlib takes for one

Z_COLOR, X_COLOR, MAP_COLOR, REFERENCE_COLOR = "#0072B2", "#D55E00", "#444444", "black"
COLORS = {"z": Z_COLOR, "x": X_COLOR}
# After z and x, Okabe and Ito's other colours, which colour-blind readers can tell apart.
CYCLE = [Z_COLOR, X_COLOR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", MAP_COLOR]
MAKO: Colormap = seaborn.color_palette("mako", as_cmap=True)
VLAG: Colormap = seaborn.color_palette("vlag", as_cmap=True)
Z_TO_X = LinearSegmentedColormap.from_list("z_to_x", [Z_COLOR, "#8C7AA9", X_COLOR])


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
    ax = ax or _new_axes()
    color = color or COLORS[kind]
    seen = None if samples is None else _numbers(samples)
    if low is None or high is None:
        found = _numbers(_draws(density, 4000)) if seen is None else seen
        low = float(found.min()) if low is None else low
        high = float(found.max()) if high is None else high
    if seen is not None:
        inside = seen[(seen >= low) & (seen <= high)]
        heights, edges = np.histogram(inside, bins=bins, range=(low, high))
        # Of all samples, not only of those in view: the bars stay comparable with the curve.
        ax.stairs(heights / len(seen) / np.diff(edges), edges, fill=True, color=color, alpha=0.25, lw=0)
    grid = np.linspace(low, high, points)
    if density is not None:
        values = np.exp(_log_prob_1d(density, grid))
        ax.plot(grid, values, color=color)
        if label:
            peak = int(np.nanargmax(values))
            _write_beside(ax, grid[peak], values[peak], label, color)
    if reference is not None:
        ax.plot(grid, np.exp(_log_prob_1d(reference, grid)), color=REFERENCE_COLOR, ls="--", lw=1.1)
    ax.set(xlabel=f"${kind}$", ylabel=f"$p_{kind}({kind})$", xlim=(low, high))
    ax.set_ylim(bottom=0)
    _tidy_ticks(ax)
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
    axes = np.asarray(axes) if axes is not None else _new_axes(1, 3, size=(9.0, 2.6))
    draws = np.sort(_numbers(_draws(flow.base, 20_000)))
    z = np.linspace(draws[0], draws[-1], points)
    with torch.no_grad():
        inputs = _as_input(z, flow).view(-1, *flow.event_shape)
        outputs, log_det = flow.bijection(inputs)
        p_z = flow.base.log_prob(inputs).exp().double().cpu().numpy()
        x, p_x = _numbers(outputs), p_z * np.exp(-log_det.double().cpu().numpy())
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
        heights, steps = np.histogram(_numbers(samples), bins=bins, range=(low, high))
        heights = heights / len(samples) / np.diff(steps)
        axes[2].stairs(heights, steps, color="#888888", lw=0.8)
        axes[2].set_ylim(top=max(axes[2].get_ylim()[1], 1.05 * heights.max()))
    if reference is not None:
        grid = np.linspace(low, high, 600)
        axes[2].plot(grid, np.exp(_log_prob_1d(reference, grid)), color=REFERENCE_COLOR, ls="--", lw=1.1)

    axes[1].plot(z, x, color=MAP_COLOR)
    axes[1].vlines(z[edges], low, x[edges], color=Z_COLOR, lw=0.7, alpha=0.6)
    axes[1].hlines(x[edges], z[0], z[edges], color=X_COLOR, lw=0.7, alpha=0.6)
    axes[1].set(xlabel="$z$", ylabel="$x = f(z)$", xlim=(z[0], z[-1]), ylim=(low, high))
    for ax, title in zip(axes, ("base", "map", "data"), strict=True):
        ax.set_title(title)
        _tidy_ticks(ax)
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
    ax = ax or _new_axes(size=(3.4, 3.2))
    left, right, bottom, top = _box(bounds)
    values = _on_grid(density, (left, right, bottom, top), points)
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
    _frame_plane(ax, (left, right, bottom, top), kind, title)
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
    ax = ax or _new_axes(size=(3.4, 3.2))
    box = _box(bounds)
    values = np.exp(_on_grid(density, box, points)) - np.exp(_on_grid(reference, box, points))
    most = np.abs(values).max() or 1.0
    image = ax.imshow(values, extent=box, origin="lower", cmap=VLAG, vmin=-most, vmax=most, aspect="auto")
    if colorbar:
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(f"difference of $p_{kind}$", labelpad=8)
    _frame_plane(ax, box, kind, title)
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
    ax = ax or _new_axes(size=(3.4, 3.2))
    points = samples.detach().double().cpu().numpy()
    size = size or float(np.clip(4000 / max(len(points), 1), 1.5, 14))
    alpha = float(np.clip(900 / max(len(points), 1), 0.25, 0.8))
    ax.scatter(
        points[:, 0], points[:, 1], c=COLORS[kind] if color is None else color, s=size, alpha=alpha, lw=0
    )
    _frame_plane(ax, _box(_window(points) if bounds is None else bounds), kind, title)
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
    axes = np.asarray(axes) if axes is not None else _new_axes(1, 2, size=(6.4, 3.1))
    left, right, bottom, top = _box(bounds)
    move = getattr(bijection, "bijection", bijection)
    across, along = np.linspace(left, right, lines), np.linspace(bottom, top, lines)
    fine_across, fine_along = np.linspace(left, right, points), np.linspace(bottom, top, points)
    vertical = np.stack([np.stack([np.full(points, a), fine_along], 1) for a in across])
    horizontal = np.stack([np.stack([fine_across, np.full(points, b)], 1) for b in along])
    # Both families are shaded along their own axis, so that a line can be followed through the map.
    shades = np.linspace(0.2, 0.85, lines)
    families = ((vertical, MAKO(shades)), (horizontal, seaborn.color_palette("flare", as_cmap=True)(shades)))
    middle = lines // 2
    cell = _outline(across[middle : middle + 2], along[middle : middle + 2])

    def image(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            x = move(_as_input(z.reshape(-1, 2), move))
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
    stops = _trace(flow, samples, n, seed)
    chosen = sorted({round(k) for k in np.linspace(0, len(stops) - 1, min(panels, len(stops)))})
    bounds = _window(torch.cat(stops).double().cpu().numpy(), 0.996) if bounds is None else bounds
    axes = _new_axes(1, len(chosen), size=(2.1 * len(chosen), 2.3))
    colors = _by_angle(stops[0])
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
        frames_per_step, hold: frames between two stops, and extra frames at both ends.
        bounds: the window; by default it holds all stops.
    """
    stops = _trace(flow, samples, n, seed)
    values = np.stack([stop.double().cpu().numpy() for stop in stops])
    bounds = _window(values.reshape(-1, 2), 0.996) if bounds is None else bounds
    ease = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, frames_per_step, endpoint=False))
    moves = [(k, float(t)) for k in range(len(stops) - 1) for t in ease]
    script = [(0, 0.0)] * hold + moves + [(len(stops) - 1, 0.0)] * 2 * hold

    figure, ax = plt.subplots(figsize=(size, size), dpi=dpi, layout="none")
    figure.subplots_adjust(0.02, 0.02, 0.98, 0.9)
    _frame_plane(ax, _box(bounds), "x", None)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.spines[:].set_visible(False)
    dots = ax.scatter(values[0][:, 0], values[0][:, 1], c=_by_angle(stops[0]), s=7, lw=0)
    title = figure.text(0.5, 0.95, "", ha="center", va="center")

    def draw(frame: tuple[int, float]) -> tuple[Artist, ...]:
        index, share = frame
        following = values[min(index + 1, len(values) - 1)]
        dots.set_offsets((1 - share) * values[index] + share * following)
        name = "z" if index == 0 and share == 0 else "x" if index == len(stops) - 1 else f"layer {index + 1}"
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
    ax = ax or _new_axes()
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
    _label_ends(ax, steps[-1], [(min(value, top), text, color) for value, text, color in ends])
    ax.set(xlabel="step", ylabel=f"negative log-likelihood ({units})")
    return ax


def image_grid(
    images: Tensor,
    *,
    columns: int = 10,
    levels: int | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Images (n, channels, height, width) as one sheet, row by row.

    Args:
        levels: the images hold 0 … levels-1; by default they hold 0 … 1. Values outside are cut off.
    """
    images = (images.detach().double().cpu() / (1 if levels is None else levels - 1)).clamp(0, 1)
    if images.shape[1] == 1:
        images = 1 - images  # ink on paper: digits read best dark on white
    n, channels, height, width = images.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    sheet = torch.ones(channels, rows * (height + 1) - 1, columns * (width + 1) - 1, dtype=images.dtype)
    for index, image in enumerate(images):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[:, top : top + height, left : left + width] = image
    ax = ax or _new_axes(size=(0.55 * columns, 0.55 * rows + (0.3 if title else 0)))
    ax.imshow(
        (sheet[0] if channels == 1 else sheet.permute(1, 2, 0)).numpy(),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def trade_off(
    rows: Iterable[Mapping],
    *,
    entropy: float = 0.0,
    highlight: str | None = None,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """The course's growing table as a figure: missing nats against time to sample and time to score.

    Args:
        rows: mappings with "model", "nll", "parameters", "forward_ms" and "inverse_ms", as `evaluate`
            and `shared_table` give them. The area of a dot grows with the parameters.
        entropy: subtracted from the NLL, so that 0 is perfect.
        highlight: rows whose model starts with this are drawn in vermilion.
    """
    rows = list(rows)
    axes = np.asarray(axes) if axes is not None else _new_axes(1, 2, size=(8.0, 3.2))
    missing = np.array([float(row["nll"]) - entropy for row in rows])
    sizes = 12 + 0.4 * np.sqrt([float(row["parameters"]) for row in rows])
    for ax, key, title in ((axes[0], "forward_ms", "to sample"), (axes[1], "inverse_ms", "to score")):
        times = np.array([float(row[key]) for row in rows])
        chosen = [str(row["model"]).startswith(highlight) if highlight else False for row in rows]
        ax.scatter(times, missing, s=sizes, c=[X_COLOR if c else MAP_COLOR for c in chosen], alpha=0.75, lw=0)
        ax.set(xscale="log", yscale="log" if missing.min() > 0 else "linear")
        ax.set(xlabel=f"time {title} (ms)", ylabel="missing nats" if entropy else "NLL (nats)")
        ax.margins(0.2)
        _label_points(ax, times, missing, np.sqrt(sizes) / 2, [str(row["model"]) for row in rows], chosen)
    return axes


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
    ax = ax or _new_axes(size=(3.2, 2.9))
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


def _new_axes(rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None) -> Any:
    """New axes: one, or an array of them. Sizes are for the font that `use_style` chose."""
    scale = plt.rcParams["font.size"] / 9.5 if plt.rcParams["image.cmap"] == "mako" else 1.0
    size = None if size is None else (size[0] * scale, size[1] * scale)
    _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=rows == columns == 1)
    return axes if rows == columns == 1 else axes.ravel()


def _numbers(values: Any) -> np.ndarray:
    """One number for each row, as a float64 array."""
    values = torch.as_tensor(values).detach().double().cpu()
    if values.numel() != len(values):
        raise ValueError(f"expected one-dimensional points, (n,) or (n, 1); got shape {tuple(values.shape)}")
    return values.reshape(-1).numpy()


def _as_input(values: np.ndarray | Tensor, owner: Any) -> Tensor:
    """Numbers in the dtype and on the device of `owner`: a module, a distribution, or a method of one."""
    owner, tensors = getattr(owner, "__self__", owner), []
    if isinstance(owner, torch.distributions.Distribution):
        owner = Base(owner)  # keeps a point of the support, where the parameters are
    if isinstance(owner, torch.nn.Module):
        tensors = [t for t in (*owner.parameters(), *owner.buffers()) if t.is_floating_point()]
    like = tensors[0] if tensors else torch.empty(())
    return torch.as_tensor(values).to(like.device, like.dtype)


def _log_prob(density: Density) -> Callable[[Tensor], Tensor]:
    if isinstance(density, torch.distributions.Distribution):
        # As a base, it answers -inf outside its support instead of raising.
        density = Base(density)
    return density.log_prob if hasattr(density, "log_prob") else density


def _log_prob_1d(density: Density, grid: np.ndarray) -> np.ndarray:
    shape = tuple(getattr(density, "event_shape", ()))
    with torch.no_grad():
        values = _log_prob(density)(_as_input(grid, density).view(-1, *shape))
    return _numbers(values)


def _on_grid(density: Density, box: tuple[float, float, float, float], points: int) -> np.ndarray:
    """The log-density at the centres of points × points cells, row by row from the bottom."""
    left, right, bottom, top = box
    steps = (np.arange(points) + 0.5) / points
    x1, x2 = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    cells = _as_input(np.stack([x1.ravel(), x2.ravel()], 1), density)
    with torch.no_grad():
        values = torch.cat([_log_prob(density)(part) for part in cells.split(20_000)])
    return values.double().cpu().numpy().reshape(points, points)


def _draws(density: Density, n: int, seed: int = 0) -> Tensor:
    """n draws that repeat, from a Flow, one of flowlib's bases or a torch.distributions object."""
    if isinstance(density, torch.distributions.Distribution):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return density.sample((n,))
    if hasattr(density, "sample"):
        return density.sample(n, generator=torch.Generator().manual_seed(seed))
    raise ValueError("expected low= and high=, or samples=: a plain function has no range to go by")


def _trace(flow: Flow, samples: Tensor | None, n: int, seed: int) -> list[Tensor]:
    """The stops in the order z … x, whichever way they were computed."""
    if samples is None:
        return [stop.value for stop in flow.trace(_draws(flow.base, n, seed))]
    return [stop.value for stop in flow.trace(_as_input(samples[:n], flow), inverse=True)][::-1]


def _window(points: np.ndarray, share: float = 1.0) -> tuple[float, float, float, float]:
    """Bounds that hold this share of the points along each axis, with a margin."""
    low, high = np.quantile(points, [(1 - share) / 2, (1 + share) / 2], axis=0)
    pad = 0.06 * (high - low) + 1e-3
    return (low[0] - pad[0], high[0] + pad[0], low[1] - pad[1], high[1] + pad[1])


def _by_angle(z: Tensor) -> np.ndarray:
    """A colour for each point of the plane by its direction from the origin."""
    points = z.detach().double().cpu().numpy()
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) % 1
    return np.array(seaborn.husl_palette(256, s=0.75, l=0.6))[(255 * turn).astype(int)]


def _box(bounds: float | Sequence[float]) -> tuple[float, float, float, float]:
    if not isinstance(bounds, Sequence | np.ndarray | Tensor):
        return (-bounds, bounds, -bounds, bounds)
    left, right, bottom, top = (float(bound) for bound in bounds)
    return (left, right, bottom, top)


def _outline(across: np.ndarray, along: np.ndarray, points: int = 30) -> np.ndarray:
    """The border of a rectangle as many points, so that it can bend."""
    (left, right), (bottom, top) = across, along
    t = np.linspace(0, 1, points)[:, None]
    corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]])
    return np.concatenate([(1 - t) * a + t * b for a, b in itertools.pairwise(corners)])


def _frame_plane(ax: Axes, box: tuple[float, float, float, float], kind: str, title: str | None) -> None:
    left, right, bottom, top = box
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=f"${kind}_1$", ylabel=f"${kind}_2$")
    ratio = (right - left) / (top - bottom)
    # Equal units on both axes, unless the ranges are so unlike that one would shrink to a strip.
    ax.set_aspect("equal" if 0.4 <= ratio <= 2.5 else "auto")
    if title:
        ax.set_title(title)


def _tidy_ticks(ax: Axes) -> None:
    """Few ticks, and 250k for 250000, so that numbers do not run into each other."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        if max(abs(end) for end in axis.get_view_interval()) >= 10_000:
            axis.set_major_formatter(EngFormatter(sep=""))


def _write_beside(ax: Axes, x: float, y: float, text: str, color: Color) -> None:
    ax.annotate(text, (x, y), xytext=(5, 2), textcoords="offset points", color=color, fontsize="small")


def _label_points(
    ax: Axes, x: np.ndarray, y: np.ndarray, radii: np.ndarray, texts: list[str], marks: list[bool]
) -> None:
    """A name beside each point: at the first of eight places that covers nothing and leaves no axes."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes without a figure have no layout"
    figure.draw_without_rendering()  # the layout decides where the points are
    size = 0.85 * plt.rcParams["font.size"]
    pixel = figure.dpi / 72
    left_edge, right_edge = ax.bbox.x0 / pixel, ax.bbox.x1 / pixel
    points = ax.transData.transform(np.stack([x, y], 1)) / pixel
    taken = [(px - r, px + r, py - r, py + r) for (px, py), r in zip(points, radii, strict=True)]
    for (px, py), at, r, text, mark in zip(points, zip(x, y, strict=True), radii, texts, marks, strict=True):
        width = 0.6 * size * len(text)
        right, left, up = r + 3, -r - 3 - width, r + 0.7 * size
        places = [(right, 0), (left, 0), (-width / 2, up), (-width / 2, -up)]
        places += [(right, up), (right, -up), (left, up), (left, -up)]
        boxes = [(px + a, px + a + width, py + b - size / 2, py + b + size / 2) for a, b in places]
        clashes = [
            sum(_overlap(box, other) for other in taken) + (box[0] < left_edge) + (box[1] > right_edge + 20)
            for box in boxes
        ]
        best = int(np.argmin(clashes))
        taken.append(boxes[best])
        # The width is an upper estimate: a name on the left is set by its end, so that it stays at its dot.
        on_the_left = places[best][0] == left
        ax.annotate(
            text,
            at,
            xytext=(-r - 3 if on_the_left else places[best][0], places[best][1]),
            textcoords="offset points",
            ha="right" if on_the_left else "left",
            va="center",
            fontsize=size,
            color=X_COLOR if mark else MAP_COLOR,
        )


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _label_ends(ax: Axes, x: float, ends: list[tuple[float, str, str]]) -> None:
    """Names at the right ends of curves, pushed apart where they would overlap."""
    low, high = ax.get_ylim()
    least, previous = 0.07 * (high - low), -math.inf
    for y, text, color in sorted(ends):
        place = max(y, previous + least)
        ax.annotate(
            text,
            (x, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontsize="small",
            annotation_clip=False,
        )
        previous = place


__getattr__ = moved.names(__name__)
