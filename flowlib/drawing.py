"""The tools behind `plots`: axes, numbers of flows on grids, and labels that stay out of each other's way."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.ticker import EngFormatter, MaxNLocator
from torch import Tensor

from flowlib.base import Base
from flowlib.flow import Flow

__all__ = [
    "COLORS",
    "CYCLE",
    "MAKO",
    "MAP_COLOR",
    "REFERENCE_COLOR",
    "VLAG",
    "X_COLOR",
    "Z_COLOR",
    "Z_TO_X",
    "Color",
    "Density",
    "as_input",
    "box_of",
    "by_angle",
    "draws_of",
    "frame_plane",
    "label_ends",
    "label_points",
    "log_prob_1d",
    "log_prob_of",
    "new_axes",
    "numbers_of",
    "on_grid",
    "outline_of",
    "path_of",
    "tidy_ticks",
    "window_around",
    "write_beside",
]  # fmt: skip


Z_COLOR, X_COLOR, MAP_COLOR, REFERENCE_COLOR = "#0072B2", "#D55E00", "#444444", "black"
COLORS = {"z": Z_COLOR, "x": X_COLOR}
# After z and x, Okabe and Ito's other colours, which colour-blind readers can tell apart.
CYCLE = [Z_COLOR, X_COLOR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", MAP_COLOR]
MAKO: Colormap = seaborn.color_palette("mako", as_cmap=True)
VLAG: Colormap = seaborn.color_palette("vlag", as_cmap=True)
Z_TO_X = LinearSegmentedColormap.from_list("z_to_x", [Z_COLOR, "#8C7AA9", X_COLOR])


Density = Any  # a Flow, a base, a torch.distributions object, or a function from points to log-densities


Color = Any  # what matplotlib takes for one


def new_axes(rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None) -> Any:
    """New axes: one, or an array of them. Sizes are for the font that `use_style` chose."""
    scale = plt.rcParams["font.size"] / 9.5 if plt.rcParams["image.cmap"] == "mako" else 1.0
    size = None if size is None else (size[0] * scale, size[1] * scale)
    _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=rows == columns == 1)
    return axes if rows == columns == 1 else axes.ravel()


def numbers_of(values: Any) -> np.ndarray:
    """One number for each row, as a float64 array."""
    values = torch.as_tensor(values).detach().double().cpu()
    if values.numel() != len(values):
        raise ValueError(f"expected one-dimensional points, (n,) or (n, 1); got shape {tuple(values.shape)}")
    return values.reshape(-1).numpy()


def as_input(values: np.ndarray | Tensor, owner: Any) -> Tensor:
    """Numbers in the dtype and on the device of `owner`: a module, a distribution, or a method of one."""
    owner, tensors = getattr(owner, "__self__", owner), []
    if isinstance(owner, torch.distributions.Distribution):
        owner = Base(owner)  # keeps a point of the support, where the parameters are
    if isinstance(owner, torch.nn.Module):
        tensors = [t for t in (*owner.parameters(), *owner.buffers()) if t.is_floating_point()]
    like = tensors[0] if tensors else torch.empty(())
    return torch.as_tensor(values).to(like.device, like.dtype)


def log_prob_of(density: Density) -> Callable[[Tensor], Tensor]:
    if isinstance(density, torch.distributions.Distribution):
        # As a base, it answers -inf outside its support instead of raising.
        density = Base(density)
    return density.log_prob if hasattr(density, "log_prob") else density


def log_prob_1d(density: Density, grid: np.ndarray) -> np.ndarray:
    shape = tuple(getattr(density, "event_shape", ()))
    with torch.no_grad():
        values = log_prob_of(density)(as_input(grid, density).view(-1, *shape))
    return numbers_of(values)


def on_grid(density: Density, box: tuple[float, float, float, float], points: int) -> np.ndarray:
    """The log-density at the centres of points × points cells, row by row from the bottom."""
    left, right, bottom, top = box
    steps = (np.arange(points) + 0.5) / points
    x1, x2 = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    cells = as_input(np.stack([x1.ravel(), x2.ravel()], 1), density)
    with torch.no_grad():
        values = torch.cat([log_prob_of(density)(part) for part in cells.split(20_000)])
    return values.double().cpu().numpy().reshape(points, points)


def draws_of(density: Density, n: int, seed: int = 0) -> Tensor:
    """n draws that repeat, from a Flow, one of flowlib's bases or a torch.distributions object."""
    if isinstance(density, torch.distributions.Distribution):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return density.sample((n,))
    if hasattr(density, "sample"):
        return density.sample(n, generator=torch.Generator().manual_seed(seed))
    raise ValueError("expected low= and high=, or samples=: a plain function has no range to go by")


def path_of(flow: Flow, samples: Tensor | None, n: int, seed: int) -> list[Tensor]:
    """The stops in the order z … x, whichever way they were computed."""
    if samples is None:
        return [stop.value for stop in flow.path(draws_of(flow.base, n, seed))]
    return [stop.value for stop in flow.path(as_input(samples[:n], flow), inverse=True)][::-1]


def window_around(points: np.ndarray, share: float = 1.0) -> tuple[float, float, float, float]:
    """Bounds that hold this share of the points along each axis, with a margin."""
    low, high = np.quantile(points, [(1 - share) / 2, (1 + share) / 2], axis=0)
    pad = 0.06 * (high - low) + 1e-3
    return (low[0] - pad[0], high[0] + pad[0], low[1] - pad[1], high[1] + pad[1])


def by_angle(z: Tensor) -> np.ndarray:
    """A colour for each point of the plane by its direction from the origin."""
    points = z.detach().double().cpu().numpy()
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) % 1
    return np.array(seaborn.husl_palette(256, s=0.75, l=0.6))[(255 * turn).astype(int)]


def box_of(bounds: float | Sequence[float]) -> tuple[float, float, float, float]:
    if not isinstance(bounds, Sequence | np.ndarray | Tensor):
        return (-bounds, bounds, -bounds, bounds)
    left, right, bottom, top = (float(bound) for bound in bounds)
    return (left, right, bottom, top)


def outline_of(across: np.ndarray, along: np.ndarray, points: int = 30) -> np.ndarray:
    """The border of a rectangle as many points, so that it can bend."""
    (left, right), (bottom, top) = across, along
    t = np.linspace(0, 1, points)[:, None]
    corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]])
    return np.concatenate([(1 - t) * a + t * b for a, b in itertools.pairwise(corners)])


def frame_plane(ax: Axes, box: tuple[float, float, float, float], kind: str, title: str | None) -> None:
    left, right, bottom, top = box
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=f"${kind}_1$", ylabel=f"${kind}_2$")
    ratio = (right - left) / (top - bottom)
    # Equal units on both axes, unless the ranges are so unlike that one would shrink to a strip.
    ax.set_aspect("equal" if 0.4 <= ratio <= 2.5 else "auto")
    if title:
        ax.set_title(title)


def tidy_ticks(ax: Axes) -> None:
    """Few ticks, and 250k for 250000, so that numbers do not run into each other."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        if max(abs(end) for end in axis.get_view_interval()) >= 10_000:
            axis.set_major_formatter(EngFormatter(sep=""))


def write_beside(ax: Axes, x: float, y: float, text: str, color: Color) -> None:
    ax.annotate(text, (x, y), xytext=(5, 2), textcoords="offset points", color=color, fontsize="small")


def label_points(
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


def label_ends(ax: Axes, x: float, ends: list[tuple[float, str, str]]) -> None:
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
