"""The numbers behind the laws: Jacobians, grids, statistical tests, and how two results are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from flowlib.base import StandardNormal
from flowlib.flow import Flow

__all__ = [
    "agree", "base_p_value", "difference_jacobian", "digits", "first_wrong", "jacobian_of",
    "largest_error", "midpoints", "quiet", "small_gap", "usual_tolerance",
]  # fmt: skip


def quiet(function: Callable, point: Tensor, context: Tensor | None) -> Tensor | None:
    """The value of a suspect, or None where it cannot be computed."""
    try:
        with torch.enable_grad():
            result = function(point) if context is None else function(point, context)
    except Exception:
        return None
    value = result[0] if isinstance(result, (tuple, list)) else result
    return torch.as_tensor(value).detach()


def jacobian_of(map_: Callable, z: Tensor, context: Tensor | None) -> tuple[Tensor, bool]:
    """dx/dz at each point, (batch, outputs, inputs), and whether autograd gave it."""

    def value(points: Tensor) -> Tensor:
        result = map_(points) if context is None else map_(points, context)
        output = torch.as_tensor(result[0] if isinstance(result, (tuple, list)) else result)
        return output.reshape(len(points), -1)

    points = z.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = value(points)
        if outputs.requires_grad:
            gradients = [
                torch.autograd.grad(column.sum(), points, retain_graph=True, allow_unused=True)[0]
                for column in outputs.unbind(1)
            ]
            if any(gradient is not None for gradient in gradients):
                rows = [torch.zeros_like(points) if g is None else g for g in gradients]
                return torch.stack([row.reshape(len(points), -1) for row in rows], 1).detach(), True
    return difference_jacobian(value, z.detach()), False


def difference_jacobian(map_: Callable, z: Tensor, step: float = 6e-6) -> Tensor:
    """Central differences in float64; the error is about 1e-10 for functions of order 1."""
    rows = []
    with torch.no_grad():
        for i in range(z[0].numel()):
            offset = torch.zeros_like(z[0]).flatten()
            offset[i] = step
            offset = offset.view_as(z[0])
            rows.append((map_(z + offset) - map_(z - offset)).double() / (2 * step))
    return torch.stack(rows, -1)


def _side(bound: float | Sequence[float], axis: int) -> float:
    """A box's bound along one axis: one number for all axes, or one for each."""
    return float(bound[axis]) if isinstance(bound, Sequence | Tensor | np.ndarray) else float(bound)


def midpoints(
    dim: int, low: float | Sequence[float], high: float | Sequence[float], points: int | None
) -> tuple[Tensor, Tensor]:
    """Centres of the cells of a box, and their sizes: the midpoint rule.

    Jumps of a density (leaky ReLU) mostly lie on 0, a border between cells: they cost no accuracy.
    """
    axes, size = [], 1.0
    for axis in range(max(dim, 1)):
        start, end = _side(low, axis), _side(high, axis)
        count = points or (20000 if dim < 2 else 600)
        width = (end - start) / count
        axes.append(start + width * (torch.arange(count, dtype=torch.float64) + 0.5))
        size *= width
    nodes = axes[0] if dim == 0 else torch.cartesian_prod(*axes).view(-1, dim)
    return nodes, torch.full((len(nodes),), size, dtype=torch.float64)


def base_p_value(flow: Flow, z: Tensor) -> float:
    """The smallest p-value of the base's coordinates, with a Bonferroni correction."""
    values = z.detach().double().cpu().flatten(1) if z.dim() > 1 else z.detach().double().cpu()[:, None]
    if not bool(torch.isfinite(values).all()):
        return 0.0
    if isinstance(flow.base, StandardNormal):
        tests = [stats.kstest(column.numpy(), "norm").pvalue for column in values.T]
        tests.append(stats.kstest((values**2).sum(1).numpy(), "chi2", args=(values.shape[1],)).pvalue)
    else:
        generator = torch.Generator().manual_seed(1)
        fresh = flow.base.sample(len(z), generator=generator).double().cpu().reshape(len(z), -1)
        tests = [stats.ks_2samp(a.numpy(), b.numpy()).pvalue for a, b in zip(values.T, fresh.T, strict=True)]
    return float(min(tests)) * len(tests)


def usual_tolerance(z: Tensor) -> float:
    return 1e-8 if z.dtype == torch.float64 else 1e-4


def agree(value: Tensor, truth: Tensor, tolerance: float, nan: bool = False) -> bool:
    value, truth = value.detach().double(), truth.detach().double()
    return torch.allclose(value, truth, rtol=tolerance, atol=tolerance, equal_nan=nan)


def largest_error(value: Tensor, truth: Tensor, tolerance: float) -> str:
    error = (value.detach() - truth.detach()).abs().double()
    return f": the largest error is {error.max().item():.3g}, allowed is {tolerance:g}"


def first_wrong(value: Tensor, truth: Tensor, tolerance: float) -> int:
    """The first point at which the two differ."""
    right = torch.isclose(value.detach().double(), truth.detach().double(), rtol=tolerance, atol=tolerance)
    return int(right.logical_not().int().argmax())


def small_gap(found: Tensor, expected: Tensor) -> str:
    """How far two numbers are apart that look alike."""
    alike = digits(found) == digits(expected)
    return f" (off by {(found - expected).item():.1e})" if alike else ""


def digits(number: Tensor) -> str:
    return f"{number.item():+.4g}"
