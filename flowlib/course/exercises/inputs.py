"""The kinds of input on which answers are tried, each kind once.

A hidden test takes them instead of numbers of its own, so that no task forgets a kind:

    generator = inputs.generator(2)
    for where, z in inputs.points(generator):
        for mask in inputs.masks(z.shape[1], generator):
            ...

`where` says in words what was tried; no message shows the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from flowlib.course.exercises import rules

SIZES = (  # D, number of points, dtype: small ones, one row, as many points as D, more than fits in the head
    (2, 4, torch.float64),
    (3, 1, torch.float64),
    (5, 5, torch.float64),
    (8, 7, torch.float32),
    (40, 3, torch.float64),
    (300, 2, torch.float32),
)


def generator(number: int) -> torch.Generator:
    """Draws that depend on the key of the class; see `rules.hidden_seed`."""
    return torch.Generator().manual_seed(rules.hidden_seed(number))


def points(generator: torch.Generator, sizes=SIZES, scale: float = 1.0) -> Iterator[tuple[str, Tensor]]:
    """Standard normal points of every size, times `scale`."""
    for dim, count, dtype in sizes:
        rows = "one point" if count == 1 else f"{count} points"
        z = torch.randn(count, dim, dtype=torch.float64, generator=generator)
        yield f"with D = {dim}, {rows}, {str(dtype).removeprefix('torch.')}", (scale * z).to(dtype)


def masks(dim: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Masks (dim,): half, every second, one that stays, one that moves, and one drawn at random."""
    place = torch.arange(dim)
    drawn = torch.rand(dim, generator=generator) < 0.3
    drawn[torch.randperm(dim, generator=generator)[:2]] = torch.tensor([True, False])
    found = [place < (dim + 1) // 2, place % 2 == 1, place == dim - 1, place != 0, drawn]
    yield from torch.stack(found).unique(dim=0)


def columns(count: int, generator: torch.Generator, dtype=torch.float64) -> Tensor:
    """Data (count, 4) whose columns differ as measurements do.

    Standard normal; mean 1000 with deviation 0.1; deviation 1e-4; mean -3 with deviation 50.
    """
    mean = torch.tensor([0.0, 1000.0, 0.0, -3.0], dtype=dtype)
    deviation = torch.tensor([1.0, 0.1, 1e-4, 50.0], dtype=dtype)
    return mean + deviation * torch.randn(count, 4, dtype=dtype, generator=generator)


def matrix(dim: int, generator: torch.Generator, det: float = 1.0, dtype=torch.float64) -> Tensor:
    """A matrix (dim, dim) with this determinant, tiny, huge or negative, and a condition number below 100."""
    left, right = (
        torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64, generator=generator))[0] for _ in range(2)
    )
    values = torch.exp(torch.linspace(-1.0, 1.0, dim, dtype=torch.float64))
    made = left * values @ right
    made = made * (abs(det) / made.det().abs()) ** (1 / dim)
    if made.det() * det < 0:
        made[0] = -made[0]
    return made.to(dtype)


def directions(dim: int, generator: torch.Generator, dtype=torch.float64) -> Iterator[tuple[str, Tensor]]:
    """Vectors w (dim,) whose length is far from 1: about 0.01, 1, 30."""
    for length in (0.01, 1.0, 30.0):
        w = torch.randn(dim, dtype=dtype, generator=generator)
        yield f"with |w| = {length:g}", length * w / w.norm()


def images(generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    """Images (batch, C, H, W): not square, one alone, and C = 64 in float32."""
    for shape, dtype in (
        ((3, 1, 2, 2), torch.float64),
        ((1, 3, 4, 8), torch.float32),
        ((5, 3, 6, 2), torch.float64),
        ((2, 64, 2, 4), torch.float32),
    ):
        yield (
            f"images {shape}, {str(dtype).removeprefix('torch.')}",
            torch.randn(shape, dtype=dtype, generator=generator),
        )


def batches(count: int, dim: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of one stream, of changing sizes: 7, 1, 32, 5 and so on."""
    for number in range(count):
        size = (7, 1, 32, 5)[number % 4]
        yield torch.randn(size, dim, dtype=torch.float64, generator=generator)


def mixed(*parts: Tensor, generator: torch.Generator) -> tuple[Tensor, list[Tensor]]:
    """All parts in one shuffled batch, and for each part the rows where it now stands.

    A density that looks at what it is asked (a grid here, data there) cannot tell them apart.
    """
    whole = torch.cat(parts)
    order = torch.randperm(len(whole), generator=generator)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(whole))
    return whole[order], list(place.split([len(part) for part in parts]))
