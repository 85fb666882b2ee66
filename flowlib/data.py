"""Every data set of the course, offline: numbers (n,), tables (n, dim), images (n, channels, height, width).

A function that draws at random takes `seed`, an int; the same seed gives the same numbers. All sets
live on the CPU and are float32 unless `dtype` says otherwise; densities and energies follow their
argument. The measured sets are read from `assets/data` beside the flowlib package, or from the folder
that the environment variable FLOWLIB_ASSETS names; assets/data/README.md states their sources and
licences.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from flowlib import moved
from flowlib.assets import asset
from flowlib.bijection import Bijection, draw_uniform, require, sum_event, sum_terms
from flowlib.failures import column_of

__all__ = [
    "BANANA_ENTROPY", "CHECKERBOARD_ENTROPY", "DIGITS_LEVELS", "ENERGIES", "NOISY_SINE_ENTROPY",
    "PATCHES_LEVELS", "SHARED_TARGET_ENTROPY", "Split", "Standardizer", "ames", "ames_prices",
    "banana", "banana_log_prob", "checkerboard", "dequantize", "diamonds", "digits",
    "energy_1", "energy_2", "energy_3", "energy_4", "house_prices", "log_integral", "natural_patches",
    "noisy_sine", "noisy_sine_log_prob", "prepare", "rings", "seeded", "shared_target",
    "shared_target_log_prob", "spirals", "split_rows", "two_gaussians", "two_gaussians_log_prob", "two_moons",
]  # fmt: skip


class Standardizer(Bijection):
    """Standardised columns and their original units: x = scale·z + shift, or its exponential.

    `forward` goes from the standardised values a model sees to dollars, years and square feet;
    `inverse` standardises. As it is a bijection with a log-determinant, a density in one set of
    units becomes a density in the other: `Flow(Chain(flow.bijection, split.units), flow.base)`
    is the fitted flow in original units.

    Args:
        shift, scale: the mean and the standard deviation of each column, shape (dim,).
        log: for each column whether it is the logarithm of x that is standardised, shape (dim,), bool.

    Raises:
        ValueError: in `inverse`, for x <= 0 in a column standardised as a logarithm.

    Example:
        >>> prices = torch.tensor([[100.0], [200.0], [400.0]])
        >>> units = Standardizer.fit(prices, log=[True])
        >>> units.inverse(prices)[0].flatten()
        tensor([-1.,  0.,  1.])
    """

    shift: Tensor
    scale: Tensor
    log: Tensor

    def __init__(self, shift: Tensor, scale: Tensor, log: Tensor | None = None):
        super().__init__()
        self.event_shape = tuple(shift.shape)
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)
        self.register_buffer("log", torch.zeros_like(shift, dtype=torch.bool) if log is None else log)

    @classmethod
    def fit(cls, x: Tensor, log: Sequence[bool] | None = None) -> Standardizer:
        """Take means and deviations from the rows of x, (n, dim); of its logarithm where `log` is true.

        Raises:
            ValueError: a column is constant or not finite, or not positive where its logarithm is taken.
        """
        log = [False] * x.shape[1] if log is None else log
        flags = torch.tensor(log, dtype=torch.bool, device=x.device)
        values = torch.where(flags, torch.where(flags, x, 1).log(), x)
        shift, scale = values.mean(0), values.std(0)
        # Rounding may give a constant column a tiny deviation.
        rounding = 16 * torch.finfo(x.dtype).eps * shift.abs()
        require(
            torch.isfinite(scale) & (scale > rounding),
            lambda: (
                "Standardizer.fit: each column must be finite and vary, and be > 0 where its logarithm is "
                f"taken; got standard deviations {scale.tolist()}"
            ),
        )
        return cls(shift, scale, flags)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        y = self.scale * z + self.shift
        x = torch.where(self.log, torch.where(self.log, y, 0).exp(), y)
        return x, sum_terms(self.scale.log()) + sum_event(torch.where(self.log, y, 0))

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        require((x > 0) | ~self.log, lambda: "Standardizer: columns standardised as logarithms need x > 0")
        log_x = torch.where(self.log, x, 1).log()
        z = (torch.where(self.log, log_x, x) - self.shift) / self.scale
        return z, -sum_terms(self.scale.log()) - sum_event(log_x)


class Split(NamedTuple):
    """Three disjoint parts of one data set: fit on `train`, choose on `valid`, report on `test`.

    `columns` names the columns of a table; `units` carries standardised rows back to original units.

    Example:
        >>> moons = two_moons(100)
        >>> Split(moons[:60], moons[60:80], moons[80:])
        Split(train (60, 2), valid (20, 2), test (20, 2))
    """

    train: Tensor
    valid: Tensor
    test: Tensor
    columns: tuple[str, ...] = ()
    units: Standardizer | None = None

    def to(self, device: str | torch.device) -> Split:
        """The three parts and the units on this device; the units move with it, as modules do."""
        train, valid, test = (part.to(device) for part in (self.train, self.valid, self.test))
        units = None if self.units is None else self.units.to(device)
        return Split(train, valid, test, self.columns, units)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in ("train", "valid", "test"))
        return f"Split({sizes}" + (f", columns {', '.join(self.columns)})" if self.columns else ")")


def seeded(seed: int) -> torch.Generator:
    """A CPU generator that starts from a seed."""
    return torch.Generator().manual_seed(seed)


def dequantize(
    x: Tensor, step: float | Tensor, seed: int = 0, *, generator: torch.Generator | None = None
) -> Tensor:
    """Undo rounding to the nearest `step`: add uniform noise from [-step/2, step/2).

    Rounded values are points of positive probability, and a density on them can grow without
    bound. The noisy values have a proper density, and its log-likelihood (in units of one step)
    is a lower bound for that of the rounded ones (Theis et al., 2016, section 3.1).

    Args:
        x, step: rounded values of any shape, and the rounding step, broadcast against x.
        generator: draw from this one instead of one that starts from `seed`.
    """
    return x + step * (draw_uniform(x.shape, x, generator or seeded(seed)) - 0.5)


def split_rows(
    n: int,
    seed: int = 0,
    valid: float = 0.15,
    test: float = 0.15,
    *,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers of a random split: (train, valid, test), together every number below n once.

    Args:
        valid, test: the shares of the two smaller parts.
        generator: draw from this one instead of one that starts from `seed`.
    """
    order = torch.randperm(n, generator=generator or seeded(seed))
    n_valid, n_test = int(n * valid), int(n * test)
    return order[n_valid + n_test :], order[:n_valid], order[n_valid : n_valid + n_test]


def prepare(
    table: Any,
    *,
    log: Sequence[str] = (),
    steps: Mapping[str, float] | None = None,
    context: str | None = None,
    seed: int = 0,
    valid: float = 0.15,
    test: float = 0.15,
    dtype: torch.dtype = torch.float32,
) -> tuple[Split, Split]:
    """From a table of mixed columns to rows that a flow can be fitted to, and the way back.

    The rows are split at random. Noise of one rounding step is added to rounded columns (see
    `dequantize`), logarithms are taken, and all is standardised by the training rows. What is exact:
    `rows.units` is a bijection with its log-determinant, so a density of the rows is one in the
    units of the table. What is not: it is the density of the noisy values; log P of a rounded row
    is bounded from below by the mean of log p over the noise, plus the sum of the logarithms of the steps.

    Args:
        table: columns of equal length by name, such as a pandas DataFrame or a dict of arrays.
        log: names of the columns, all positive, whose logarithm is to be modelled.
        steps: by name, the step that a column is rounded to. The others get no noise.
        context: the name of a column of categories to condition on, one-hot; "nan" is one of its own.
        valid, test: the shares of the two smaller parts.

    Returns:
        rows, context: Splits of (n, dim) and (n, categories) in the same order. `columns` names the
        numbers of the first and the categories of the second; without context that has none, (n, 0).

    Raises:
        ValueError: an unknown column, one that is not finite numbers (missing values have no place in a
            density: drop or model them), or is not positive where its logarithm is taken.

    Example:
        >>> table = {"price": [100, 200, 400, 300], "kind": ["a", "b", "a", "a"]}
        >>> rows, kinds = prepare(table, log=["price"], context="kind", valid=0.25, test=0.25)
        >>> rows.train.shape, kinds.train.shape, kinds.columns
        (torch.Size([2, 1]), torch.Size([2, 2]), ('a', 'b'))
    """
    names, steps = [name for name in table if name != context], steps or {}
    if unknown := [name for name in (*log, *steps) if name not in names]:
        raise ValueError(f"expected columns among {', '.join(names)}; got {', '.join(unknown)}")
    if context is not None and context not in table:
        raise ValueError(f"expected a context among {', '.join(table)}; got {context}")
    x = torch.stack([column_of(table[name], name) for name in names]).T
    step = torch.tensor([steps.get(name, 0.0) for name in names], dtype=x.dtype)
    generator = seeded(seed)
    first, second, third = split_rows(len(x), valid=valid, test=test, generator=generator)
    x = dequantize(x, step, generator=generator)
    for name in log:
        if (least := float(x[:, names.index(name)].min())) <= 0:
            raise ValueError(f"{name}: a logarithm needs values > 0, got {least:.3g} after the noise")
    units = Standardizer.fit(x[first], [name in log for name in names])
    z = units.inverse(x)[0].to(dtype)
    labels = np.array([] if context is None else table[context], dtype=str)
    categories, which = np.unique(labels, return_inverse=True)
    one_hot = torch.eye(len(categories), dtype=dtype)[which] if len(labels) else torch.empty(len(x), 0)
    return (
        Split(z[first], z[second], z[third], tuple(names), units.to(dtype)),
        Split(one_hot[first], one_hot[second], one_hot[third], tuple(categories.tolist())),
    )


# --------------------------------------------------------------------------- one dimension


def two_gaussians(n: int = 750, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draws from 0.4 N(-2, 0.6²) + 0.6 N(1.5, 1²): two humps with a valley between. Shape (n,)."""
    generator = seeded(seed)
    left = torch.rand(n, generator=generator, dtype=dtype) < 0.4
    noise = torch.randn(n, generator=generator, dtype=dtype)
    return torch.where(left, -2 + 0.6 * noise, 1.5 + noise)


def two_gaussians_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `two_gaussians`: (n,) -> (n,)."""
    return torch.logaddexp(math.log(0.4) + _normal(x, -2, 0.6), math.log(0.6) + _normal(x, 1.5, 1))


def house_prices(n: int = 1000, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Made-up house prices in dollars, log-normal with log-mean 12 and log-deviation 0.5. Shape (n,).

    The population has mean $184,425, median $162,755 and standard deviation $98,288.
    """
    return (12 + 0.5 * torch.randn(n, generator=seeded(seed), dtype=dtype)).exp()


# --------------------------------------------------------------------------- two dimensions


def two_moons(
    n: int = 1000, noise: float = 0.05, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Two interleaved half circles with Gaussian noise of deviation `noise`. Shape (n, 2).

    The set of scikit-learn's `make_moons`: the upper moon is centred on (0, 0), the lower on (1, 0.5).
    """
    generator = seeded(seed)
    angle = math.pi * torch.rand(n, generator=generator, dtype=dtype)
    lower = torch.rand(n, generator=generator, dtype=dtype) < 0.5
    moon = torch.stack(
        [
            torch.where(lower, 1 - angle.cos(), angle.cos()),
            torch.where(lower, 0.5 - angle.sin(), angle.sin()),
        ],
        1,
    )
    return moon + noise * torch.randn(n, 2, generator=generator, dtype=dtype)


def banana(n: int = 1024, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """x₂ ~ N(0, 2²), x₁ | x₂ ~ N(x₂²/4, 1): a bent Gaussian. Shape (n, 2). Entropy: BANANA_ENTROPY."""
    noise = torch.randn(n, 2, generator=seeded(seed), dtype=dtype)
    x2 = 2 * noise[:, 1]
    return torch.stack([x2**2 / 4 + noise[:, 0], x2], 1)


def banana_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `banana`: (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    return _normal(x2, 0, 2) + _normal(x1, x2**2 / 4, 1)


# A shear keeps volumes, so the entropy is that of the unbent Gaussian: 1 + log 2π + log 2.
BANANA_ENTROPY = 1 + math.log(2 * math.pi) + math.log(2)


def noisy_sine(n: int = 1000, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """x₂ ~ U(-3, 3), x₁ = sin x₂ + N(0, 0.1²). Shape (n, 2). Entropy: NOISY_SINE_ENTROPY."""
    generator = seeded(seed)
    x2 = 6 * torch.rand(n, generator=generator, dtype=dtype) - 3
    return torch.stack([x2.sin() + 0.1 * torch.randn(n, generator=generator, dtype=dtype), x2], 1)


def noisy_sine_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `noisy_sine`, -inf outside |x₂| ≤ 3: (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    return torch.where(x2.abs() <= 3, _normal(x1, x2.sin(), 0.1) - math.log(6), -torch.inf)


# H(x₂) + H(x₁ | x₂) = log 6 + ½ log(2πe · 0.1²) = 0.908 nats.
NOISY_SINE_ENTROPY = math.log(6) + 0.5 * math.log(2 * math.pi * math.e * 0.01)


def checkerboard(n: int = 1000, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform on the 8 dark squares of a 4 × 4 board over [-4, 4]². Shape (n, 2). Entropy: log 32 = 3.466."""
    generator = seeded(seed)
    column = torch.randint(4, (n,), generator=generator)
    row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
    corner = 2 * torch.stack([column, row], 1).to(dtype) - 4
    return corner + 2 * torch.rand(n, 2, generator=generator, dtype=dtype)


CHECKERBOARD_ENTROPY = math.log(32)


def spirals(n: int = 1000, noise: float = 0.1, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Two arms, 1.5 turns each, out to radius 3, with Gaussian noise of deviation `noise`. Shape (n, 2)."""
    generator = seeded(seed)
    # The square root spreads the points evenly along the arm.
    turn = torch.rand(n, generator=generator, dtype=dtype).sqrt()
    sign = torch.where(torch.rand(n, generator=generator, dtype=dtype) < 0.5, -1, 1)
    angle = 3 * math.pi * turn
    arm = 3 * turn * sign * torch.stack([angle.cos(), angle.sin()])
    return arm.T + noise * torch.randn(n, 2, generator=generator, dtype=dtype)


def rings(n: int = 1000, noise: float = 0.08, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Three circles of radius 1, 2, 3, evenly covered, with Gaussian noise. Shape (n, 2)."""
    generator = seeded(seed)
    chance = torch.rand(n, generator=generator, dtype=dtype)
    radius = 1 + (chance > 1 / 6).to(dtype) + (chance > 1 / 2).to(dtype)
    angle = 2 * math.pi * torch.rand(n, generator=generator, dtype=dtype)
    circle = radius * torch.stack([angle.cos(), angle.sin()])
    return circle.T + noise * torch.randn(n, 2, generator=generator, dtype=dtype)


# The course's one target: every family is judged on it, so it has what separates them (two
# modes, curvature, unequal widths) and what makes the judgement exact (a density in closed form).
def shared_target(seed: int = 0, dtype: torch.dtype = torch.float32) -> Split:
    """Two crescents back to back: 8,000 rows to train on, 2,000 to validate, 10,000 to test, each (n, 2).

    Half the points have x₂ = 0.6 + 0.8 ε₂, x₁ = 0.3 + 0.6 (x₂ - 0.6)² + 0.2 ε₁; the other half are
    drawn so and turned by 180°. `shared_target_log_prob` is exact, so the nats that a flow misses are
    too: mean(shared_target_log_prob(test)) - mean(flow.log_prob(test)). Entropy: SHARED_TARGET_ENTROPY.
    """
    generator = seeded(seed)
    noise = torch.randn(20_000, 2, generator=generator, dtype=dtype)
    sign = torch.where(torch.rand(20_000, 1, generator=generator, dtype=dtype) < 0.5, -1, 1)
    bend = 0.8 * noise[:, 1]
    crescent = torch.stack([0.3 + 0.6 * bend**2 + 0.2 * noise[:, 0], 0.6 + bend], 1)
    train, valid, test = (sign * crescent).split([8_000, 2_000, 10_000])
    return Split(train, valid, test)


# By quadrature; the crescents overlap by a little, so there is no formula.
SHARED_TARGET_ENTROPY = 1.695528


def shared_target_log_prob(x: Tensor) -> Tensor:
    """The exact log-density of `shared_target`: (n, 2) -> (n,)."""

    def crescent(x1: Tensor, x2: Tensor) -> Tensor:
        return _normal(x2, 0.6, 0.8) + _normal(x1, 0.3 + 0.6 * (x2 - 0.6) ** 2, 0.2)

    x1, x2 = x.unbind(-1)
    return torch.logaddexp(crescent(x1, x2), crescent(-x1, -x2)) - math.log(2)


# --------------------------------------------------------------------------- energies


def _wave(x1: Tensor) -> Tensor:
    return torch.sin(math.pi * x1 / 2)


def _wall(x1: Tensor) -> Tensor:
    """Zero for |x₁| ≤ 4, then rising as a Gaussian's tail of deviation 0.4."""
    return -0.5 * ((x1.abs() - 4).clamp_min(0) / 0.4) ** 2


def _bell(x: Tensor, width: float) -> Tensor:
    return -0.5 * (x / width) ** 2


def energy_1(x: Tensor) -> Tensor:
    """-U₁: a ring of radius 2 with two lobes. (n, 2) -> (n,)."""
    x1 = x[..., 0]
    return _bell(x.norm(dim=-1) - 2, 0.4) + torch.logaddexp(_bell(x1 - 2, 0.6), _bell(x1 + 2, 0.6))


def energy_2(x: Tensor) -> Tensor:
    """-U₂: a sine-shaped band. (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    return _bell(x2 - _wave(x1), 0.4) + _wall(x1)


def energy_3(x: Tensor) -> Tensor:
    """-U₃: a sine-shaped band that splits and joins again. (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    gap = 3 * _bell(x1 - 1, 0.6).exp()
    above = x2 - _wave(x1)
    return torch.logaddexp(_bell(above, 0.35), _bell(above + gap, 0.35)) + _wall(x1)


def energy_4(x: Tensor) -> Tensor:
    """-U₄: a sine-shaped band that forks. (n, 2) -> (n,)."""
    x1, x2 = x.unbind(-1)
    gap = 3 * torch.sigmoid((x1 - 1) / 0.3)
    above = x2 - _wave(x1)
    return torch.logaddexp(_bell(above, 0.4), _bell(above + gap, 0.35)) + _wall(x1)


# The four test energies of Rezende & Mohamed (2015), table 1, as unnormalised log-densities -U(x).
# U₂ to U₄ do not fall off along x₁, so no density belongs to them; the soft wall at |x₁| = 4, the
# edge of the paper's figures, is ours.
ENERGIES = {"U1": energy_1, "U2": energy_2, "U3": energy_3, "U4": energy_4}


def log_integral(
    log_density: Callable[[Tensor], Tensor], low: float = -8.0, high: float = 8.0, points: int = 800
) -> float:
    """log ∫ exp(log_density(x)) dx over the square [low, high]², by the midpoint rule in float64.

    For the four energies the answer is right to 1e-6.

    Args:
        log_density: (n, 2) -> (n,).
    """
    width = (high - low) / points
    axis = low + width * (torch.arange(points, dtype=torch.float64) + 0.5)
    rows = [log_density(torch.stack([axis, torch.full_like(axis, float(x2))], 1)) for x2 in axis]
    return float(torch.stack(rows).logsumexp((0, 1)) + 2 * math.log(width))


# --------------------------------------------------------------------------- measured tables, weights


@functools.cache
def _read_table(name: str, columns: int) -> np.ndarray:
    """The first columns, which are numbers, of a file of assets/data."""
    return np.loadtxt(asset("data", name), delimiter=",", skiprows=1, usecols=range(columns))


# Column: place in the file, rounding step, whether it is modelled as a logarithm.
_AMES = {
    "price": (0, 100.0, True),
    "living_area": (1, 1.0, True),
    "lot_area": (2, 1.0, True),
    "year_built": (3, 1.0, False),
    # The file gives a millionth of a degree (0.1 m), but flats in one house share a point: a geocode
    # means the lot, so the step is 1e-4 degrees (about 10 m).
    "longitude": (4, 1e-4, False),
    "latitude": (5, 1e-4, False),
}
_DIAMONDS = {
    "carat": (0, 0.01, True),
    "depth": (1, 0.1, False),
    "table": (2, 1.0, False),
    "price": (3, 1.0, True),
    "x": (4, 0.01, True),
    "y": (5, 0.01, True),
    "z": (6, 0.01, True),
}


def _table(rows: np.ndarray, layout: dict, columns: Sequence[str], seed: int, dtype: torch.dtype) -> Split:
    unknown = [name for name in columns if name not in layout]
    if unknown or not columns:
        raise ValueError(f"expected columns among {', '.join(layout)}; got {list(columns)}")
    steps = {name: layout[name][1] for name in columns}
    log = [name for name in columns if layout[name][2]]
    table = {name: rows[:, layout[name][0]] for name in columns}
    return prepare(table, log=log, steps=steps, seed=seed, dtype=dtype)[0]


def ames_prices(dtype: torch.dtype = torch.float32) -> Tensor:
    """The prices in dollars of 2,930 houses sold in Ames, Iowa, 2006–2010, as recorded. Shape (2930,).

    Source: De Cock, 2011, "Ames, Iowa: Alternative to the Boston Housing Data", J. Stat. Education 19(3).
    """
    return torch.from_numpy(_read_table("ames.csv", len(_AMES))[:, 0]).to(dtype)


def ames(
    columns: Sequence[str] = ("price", "living_area", "year_built", "longitude", "latitude"),
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Split:
    """House sales in Ames, Iowa, ready for density estimation: Split of (2052, 5), (439, 5), (439, 5).

    The columns (also "lot_area") are dequantized by one rounding step ($100, 1 square foot, 1 year,
    1e-4 degrees), price and areas turned into logarithms, and all standardised by the training rows;
    `split.units` leads back to dollars, square feet, years and degrees.

    Raises:
        ValueError: an unknown column.
        FileNotFoundError: the data are not there.

    Source: De Cock, 2011, as `ames_prices`.
    """
    return _table(_read_table("ames.csv", len(_AMES)), _AMES, columns, seed, dtype)


def diamonds(
    columns: Sequence[str] = tuple(_DIAMONDS), seed: int = 0, dtype: torch.dtype = torch.float32
) -> Split:
    """53,920 round diamonds, 7-D: Split of (37744, 7), (8088, 7), (8088, 7).

    carat, depth (%), table (%), price ($), and the sizes x, y, z (mm). Twenty rows whose x, y or z
    is zero are recording errors and are dropped. Dequantized by one rounding step (0.01, 0.1, 1, 1,
    0.01 three times); carat, price and the sizes are turned into logarithms; all standardised by
    the training rows. `split.units` leads back.

    Raises:
        ValueError: an unknown column.
        FileNotFoundError: the data are not there.

    Source: the set `diamonds` of Wickham's ggplot2.
    """
    rows = _read_table("diamonds.csv.gz", len(_DIAMONDS))
    return _table(rows[(rows[:, 4:] > 0).all(1)], _DIAMONDS, columns, seed, dtype)


# --------------------------------------------------------------------------- images


DIGITS_LEVELS = 17


def digits(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Split, Split]:
    """1,797 handwritten digits: images with whole levels 0, 1, …, 16 as (n, 1, 8, 8), and labels 0–9 as (n,).

    Returns:
        images, labels: two Splits in the same order, of 1,259, 269 and 269 rows.

    Source: Alpaydin & Kaynak, 1998, "Optical Recognition of Handwritten Digits", UCI repository; the
    1,797 test images, as shipped with scikit-learn.
    """
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).to(dtype).view(-1, 1, 8, 8)
    labels = torch.from_numpy(classes).long()
    train, valid, test = split_rows(len(images), seed)
    of_images = Split(images[train], images[valid], images[test])
    of_labels = Split(labels[train], labels[valid], labels[test])
    return of_images, of_labels


PATCHES_LEVELS = 256
PATCHES_STRIP = 80  # columns: 56 to train on, then 12 and 12


def natural_patches(n: int = 4000, size: int = 8, seed: int = 0, dtype: torch.dtype = torch.float32) -> Split:
    """Colour patches cut at random from two photographs, whole levels 0–255: `n` to train on and n/4 twice.

    Each is (n, 3, size, size). The photographs are cut into upright strips of 80 columns, and each strip
    into 56 columns to train on, 12 to validate and 12 to test. So no pixel is in two of the parts, and each
    part has its share of sky, roofs, leaves and petals.

    Raises:
        ValueError: size is not 1 to 12.

    Source: the photographs `china.jpg` and `flower.jpg` that scikit-learn ships.
    """
    from sklearn.datasets import load_sample_images

    photographs = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2)
    height, width = photographs.shape[2:]
    first, second = int(0.7 * PATCHES_STRIP), int(0.85 * PATCHES_STRIP)
    if not 1 <= size <= PATCHES_STRIP - second:
        raise ValueError(f"expected a patch size from 1 to {PATCHES_STRIP - second}, got {size}")
    generator = seeded(seed)

    def cut(count: int, left: int, right: int) -> Tensor:
        which = torch.randint(2, (count, 1, 1), generator=generator)
        top = torch.randint(height - size + 1, (count, 1, 1), generator=generator)
        strip = torch.randint(width // PATCHES_STRIP, (count, 1, 1), generator=generator)
        place = torch.randint(left, right - size + 1, (count, 1, 1), generator=generator)
        side, offset = PATCHES_STRIP * strip + place, torch.arange(size)
        patches = photographs[which, :, top + offset.view(1, -1, 1), side + offset.view(1, 1, -1)]
        return patches.permute(0, 3, 1, 2).to(dtype).contiguous()

    return Split(cut(n, 0, first), cut(n // 4, first, second), cut(n // 4, second, PATCHES_STRIP))


def _normal(x: Tensor, mean: float | Tensor, deviation: float) -> Tensor:
    """log N(x; mean, deviation²), elementwise."""
    return -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation) - 0.5 * math.log(2 * math.pi)


__getattr__ = moved.names(__name__)
