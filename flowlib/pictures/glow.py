"""The pictures of lesson 5: spikes on whole numbers, blocks of a Jacobian, Glow's levels, rows of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import Tensor
from torch.distributions import Distribution

from flowlib import data, plots
from flowlib.drawing import new_axes
from flowlib.pictures.stage import placed, scale

__all__ = [
    "architecture",
    "bars",
    "bounds",
    "cells",
    "count",
    "images_at",
    "ink",
    "kept",
    "slant",
    "spikes",
    "squeezed",
]


# ---------------------------------------------------------------------------------- whole numbers


def spikes(images: data.Split, power: float = -0.5, noise: bool = False) -> None:
    """One Gaussian on each level of a pixel, and what unseen pixels think of it.

    Args:
        images: digits; the training pixels give the weights, the held-out ones are scored.
        power: the Gaussians' width is 10 to this power.
        noise: score pixels with noise from [0, 1) added instead of whole numbers.
    """
    width, levels = 10.0**power, torch.arange(float(data.DIGITS_LEVELS))
    weight = torch.bincount(images.train.flatten().long(), minlength=len(levels)) / images.train.numel()

    def log_density(values: Tensor) -> Tensor:
        parts = -0.5 * ((values[:, None] - levels) / width) ** 2 - math.log(width * math.sqrt(2 * math.pi))
        return torch.logsumexp(parts + weight.log(), 1)

    pixels = images.test.flatten()
    if noise:
        pixels = pixels + torch.rand(pixels.shape, generator=torch.Generator().manual_seed(0))
    (ax,) = placed(size=(5.6, 2.3), left=0.09, right=0.99, bottom=0.2, top=0.88)
    near = levels[:, None] + width * torch.linspace(-4, 4, 41)  # narrow spikes need points of their own
    grid = torch.cat([torch.linspace(-2, 19, 800), near.flatten()]).sort().values
    ax.fill_between(grid, log_density(grid).exp(), color=plots.MAP_COLOR, lw=0)
    ax.plot(pixels[:60], torch.full((60,), -0.045), "|", color=plots.X_COLOR, ms=6 * scale())
    ax.set(xlim=(-1.5, 18.5), ylim=(-0.09, 1), xlabel="pixel", ylabel="density", xticks=range(0, 18, 2))
    name = "pixels with noise" if noise else "whole numbers"
    ax.set_title(f"{name}: {log_density(pixels).mean():,.4g} nats a pixel", color=plots.X_COLOR)
    plt.show()


def cells(p: Distribution, mass: Tensor, missing: Tensor) -> None:
    """A density over unit cells with the mass of each, and what its bound misses in each."""
    axes = new_axes(1, 2, size=(7.6, 2.5))
    grid, last = torch.linspace(0, len(mass), 600), torch.arange(len(mass) + 1)
    axes[0].fill_between(grid, p.log_prob(grid).exp(), color=plots.X_COLOR, alpha=0.25, lw=0)
    axes[0].step(last, torch.cat([mass, mass[-1:]]), where="post", color=plots.X_COLOR)
    axes[0].set(xlabel="x + u", ylabel="density, mass of each cell")
    axes[1].bar(last[:-1], missing, color=plots.MAP_COLOR)
    axes[1].set(xlabel="level x", ylabel="what the bound misses (nats)")
    plt.show()


def bars(figures: Mapping[str, float], ours: Sequence[str] = (), xlabel: str = "bits per dimension") -> None:
    """Bits per dimension as bars with their numbers; those named in `ours` in vermilion."""
    ax = new_axes(size=(5.8, 0.7 + 0.24 * len(figures)))
    colors = [plots.X_COLOR if name in ours else plots.MAP_COLOR for name in figures]
    drawn = ax.barh(list(figures), list(figures.values()), color=colors)
    ax.bar_label(drawn, fmt="%.2f", padding=3)
    ax.invert_yaxis()
    ax.set(xlabel=f"{xlabel} (less is better)", xlim=(0, 1.12 * max(figures.values())))
    plt.show()


# ---------------------------------------------------------------------------------- layers


def squeezed(digit: Tensor, *later: Tensor) -> None:
    """One image and its squeezed forms, (1, C, H, W) each, every channel as a small picture."""
    axes = new_axes(1, 1 + len(later), size=(6.6, 2.3))
    for ax, values in zip(axes, (digit, *later), strict=True):
        _, channels, height, width = values.shape
        columns = math.isqrt(channels)
        large = values[0].unsqueeze(1).repeat_interleave(4, 2).repeat_interleave(4, 3)  # for narrow gaps
        plots.image_grid(large, columns=columns, levels=data.DIGITS_LEVELS, ax=ax)
        ax.set_title(f"{channels} × {height} × {width}")
    plt.show()


def count(side: int = 2, stretch: float = 0.3) -> None:
    """The Jacobian of a 1 x 1 convolution of three channels, pixel by pixel, and its log-determinant.

    Args:
        side: height and width of the image.
        stretch: the matrix is a rotation times e^stretch.
    """
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q
    matrix = math.exp(stretch) * turn
    jacobian = torch.block_diag(*[matrix] * side**2)
    axes = placed(2, (5.6, 2.5), left=0.02, right=0.97, bottom=0.2, top=0.86, wspace=0.35)
    axes[0].imshow(jacobian.where(jacobian != 0, torch.nan), cmap=plots.VLAG, vmin=-1.5, vmax=1.5)
    axes[0].set(xticks=(), yticks=(), title=f"{len(jacobian)} × {len(jacobian)}, {side**2} blocks")
    one, every = (torch.linalg.slogdet(part).logabsdet.item() for part in (matrix, jacobian))
    axes[1].barh(["one W", "all pixels"], [one, every], color=[plots.MAP_COLOR, plots.X_COLOR])
    axes[1].set(xlim=(-39, 39), ylim=(1.6, -0.6), xlabel="log|det|")
    axes[1].set_title(f"{one:+.2f} × {side} · {side} = {every:+.2f}")
    plt.show()


def architecture(shape: Sequence[int] = (1, 8, 8), levels: int = 2, steps: int = 4) -> None:
    """Glow from image to latents: what each level squeezes, what leaves, with all shapes."""
    ax = new_axes(size=(1.6 + 3.4 * levels, 2.3))
    channels, height, width = shape
    _box(ax, 0.0, 1, "image x", _times(shape), plots.X_COLOR)
    for level in range(levels):
        channels, height, width = 4 * channels, height // 2, width // 2
        here, last = 3.2 * level, level == levels - 1
        work = f"squeeze: {_times((channels, height, width))}\n{steps} steps of Glow"
        _arrow(ax, (here + 0.45, 1), (here + 0.75, 1))
        _box(ax, here + 1.55, 1, f"level {level + 1}", work, plots.MAP_COLOR, wide=1.5)
        if last:
            end = (channels, height, width)
            _arrow(ax, (here + 2.35, 1), (here + 2.75, 1))
            _box(ax, here + 3.2, 1, f"$z_{level + 1}$ stays", _times(end), plots.Z_COLOR)
        else:
            channels //= 2
            half = _times((channels, height, width))
            _arrow(ax, (here + 2.0, 0.62), (here + 2.6, 0.25))
            _box(ax, here + 3.2, 0, f"$z_{level + 1}$ leaves", half, plots.Z_COLOR)
            _arrow(ax, (here + 2.35, 1), (here + 2.75, 1))
            _box(ax, here + 3.2, 1, "stays", half, plots.MAP_COLOR)
            _arrow(ax, (here + 3.2, 0.66), (here + 3.2, 0.34))
            ax.text(here + 3.28, 0.5, "given", ha="left", va="center", color=plots.MAP_COLOR)
            ax.text(here + 2.1, 0.22, "one coupling", ha="right", va="center", color=plots.MAP_COLOR)
    inside = "a step: ActNorm → 1 × 1 convolution → coupling"
    ax.text(4.1, -0.3, inside, ha="left", va="center", color=plots.MAP_COLOR)
    ax.set(xlim=(-0.5, 3.2 * levels + 0.55), ylim=(-0.45, 1.5))
    ax.set_axis_off()
    plt.show()


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _box(ax: Axes, x: float, y: float, title: str, words: str, color: str, wide: float = 0.84) -> None:
    corner = (x - wide / 2, y - 0.34)
    ax.add_patch(
        FancyBboxPatch(corner, wide, 0.68, boxstyle="round,pad=0.02", fc="white", ec=color, lw=1.4 * scale())
    )
    ax.text(x, y + 0.17, title, ha="center", va="center", color=color, weight="bold")
    ax.text(x, y - 0.12, words, ha="center", va="center", fontsize=8.5 * scale())


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": plots.MAP_COLOR, "lw": 1.2 * scale()}
    )


# ---------------------------------------------------------------------------------- images and figures


def images_at(panels: Mapping[str, Tensor], columns: int, levels: int | None = None, **settings) -> None:
    """Sheets of images side by side, title -> (n, C, H, W); further settings are those of `image_grid`."""
    rows = max(math.ceil(len(images) / columns) for images in panels.values())
    width = 8.0 / len(panels)
    axes = new_axes(1, len(panels), size=(8.0, 0.35 + width * rows / columns))
    for ax, (title, images) in zip(axes, panels.items(), strict=True):
        plots.image_grid(images, columns=columns, levels=levels, title=title, ax=ax, **settings)
    plt.show()


def ink(images: Tensor) -> Tensor:
    """How hard each digit (n, 1, H, W) is pressed: its mean level, (n,)."""
    return images.double().mean((1, 2, 3))


def slant(images: Tensor) -> Tensor:
    """How far each digit (n, 1, H, W) leans: columns to the right for each row down, on average, (n,)."""
    weight = images[:, 0].double() / images.double().sum((1, 2, 3)).view(-1, 1, 1)
    place = torch.arange(images.shape[-1], dtype=torch.float64, device=images.device)
    down, across = (place - (weight.sum(axis) * place).sum(1, keepdim=True) for axis in (2, 1))
    return torch.einsum("nij,ni,nj->n", weight, down, across) / (weight.sum(2) * down.square()).sum(1)


def kept(feature: Callable[[Tensor], Tensor], before: Tensor, after: Tensor) -> float:
    """The correlation over images of a feature before and after: 1 if all keep it, 0 if it is lost."""
    return torch.corrcoef(torch.stack([feature(before), feature(after)]))[0, 1].item()


def bounds(rows: Sequence[Mapping], live: Mapping[int, float], one: float, many: float) -> None:
    """Bits of VAEs against the draws of their bound: a line for each start, the lesson's own as diamonds.

    Args:
        rows: the table "vaes" of the results.
        live: draws -> bits of the VAE that the lesson trains.
        one, many: bits of the flow, by one noise an image and by twenty.
    """
    ax = new_axes(size=(7.0, 2.7))
    decoders = list(dict.fromkeys(row["decoder"] for row in rows))
    for decoder, color in zip(decoders, (plots.MAP_COLOR, plots.CYCLE[2]), strict=True):
        of_it = [row for row in rows if row["decoder"] == decoder]
        for seed in sorted({row["seed"] for row in of_it}):
            draws, bits = zip(*[(r["draws"], r["bits"]) for r in of_it if r["seed"] == seed], strict=True)
            name = None if seed else f"VAE, {decoder}"
            ax.semilogx(draws, bits, "o-", color=color, ms=3 * scale(), lw=0.9, label=name)
    ax.semilogx(
        list(live), list(live.values()), "D", color=plots.MAP_COLOR, ms=5 * scale(), label="trained here"
    )
    ax.axhline(one, color=plots.X_COLOR, label="Glow")
    ax.axhline(many, color=plots.X_COLOR, ls=":", label="Glow, 20 noises")
    ax.set(xlabel="draws K for each image", ylabel="bits/dim, held out")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()
