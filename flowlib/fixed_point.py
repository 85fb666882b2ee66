"""Fixed points of a contraction, and roots near the identity: searches that know how far they may be off."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from flowlib.bijection import all_hold, require
from flowlib.recording import beneath

__all__ = ["Solution", "contract", "newton", "row_norm"]


class Solution(NamedTuple):
    """What a search found: z, (batch, *event); a bound on how far each z is from the truth, (batch,); and the
    number of rounds.

    Example:
        >>> layer = Residual(LipschitzMLP(2)).eval()
        >>> found = layer.solve(torch.zeros(3, 2), rounds=5)
        >>> found.z.shape, found.error.shape, found.rounds
        (torch.Size([3, 2]), torch.Size([3]), 5)
    """

    z: Tensor
    error: Tensor
    rounds: int


def contract(
    function: Callable[[Tensor], Tensor],
    start: Tensor,
    lipschitz: float,
    scale: Tensor,
    tolerance: float,
    rounds: int | None = None,
) -> Solution:
    """The fixed point of a contraction, by repeating it: error <= L / (1 - L) |last step|.

    Args:
        function: (batch, *event) -> the same shape.
        lipschitz: its L < 1.
        scale: (batch,); each row's error may be tolerance * scale.
        rounds: how many, whatever the error is then; None for as many as it needs.

    Raises:
        ValueError: without `rounds`, more rounds were needed than L promises.
    """
    limit = _most_rounds(lipschitz, tolerance) if rounds is None else rounds
    z, error = start, torch.full_like(scale, math.inf)
    for turn in range(1, limit + 1):
        following = function(z)
        error = lipschitz / (1 - lipschitz) * row_norm(following - z)
        z = following
        if rounds is None and _time_to_ask(z, turn) and all_hold(error <= tolerance * scale):
            return Solution(z, error, turn)
    if rounds is None:
        _require_met(error, tolerance * scale, limit, lipschitz)
    return Solution(z, error, limit)


def newton(
    linearise: Callable[[Tensor], tuple[Tensor, Tensor]],
    x: Tensor,
    lipschitz: float,
    scale: Tensor,
    tolerance: float,
    rounds: int | None = None,
) -> Solution:
    """The root of z + g(z) = x by Newton's method; error <= |z + g(z) - x| / (1 - L).

    A row whose residual does not fall by L, as it surely does after a fixed-point step, goes back and takes
    that one.

    Args:
        linearise: z, (batch, *event) -> g(z) and I + J, (batch, D, D).
        x: (batch, *event), also the start.
        lipschitz, scale, tolerance, rounds, Raises: as for `contract`.
    """
    limit = _most_rounds(lipschitz, tolerance) if rounds is None else rounds
    z, other, before = x, x, torch.full_like(scale, math.inf)
    for turn in range(1, limit + 1):
        g, matrix = linearise(z)
        residual = z + g - x
        size = row_norm(residual)
        error = size / (1 - lipschitz)
        if rounds is None and _time_to_ask(x, turn) and all_hold(error <= tolerance * scale):
            return Solution(z, error, turn)
        worse = size > lipschitz * before
        step = torch.linalg.solve(matrix, residual.flatten(1)).view_as(z)
        before = torch.where(worse, before, size)
        worse = worse.view(-1, *[1] * (z.dim() - 1))
        z, other = torch.where(worse, other, z - step), torch.where(worse, other, z - residual)
    error = row_norm(z + linearise(z)[0] - x) / (1 - lipschitz)
    if rounds is None:
        _require_met(error, tolerance * scale, limit, lipschitz)
    return Solution(z, error, limit)


def row_norm(values: Tensor) -> Tensor:
    """(batch, *event) -> (batch,)"""
    return torch.linalg.vector_norm(values.flatten(1), dim=1) if values.dim() > 1 else values.abs()


def _time_to_ask(values: Tensor, turn: int) -> bool:
    """Whether to look at the error in this round: to look makes a GPU wait, so there each eighth does."""
    return values.device.type == "cpu" or turn % 8 == 0


def _most_rounds(lipschitz: float, tolerance: float) -> int:
    """After so many rounds L^n has met the tolerance, from as far as a thousand times 1 + |x|."""
    return max(2, math.ceil(math.log(tolerance * (1 - lipschitz) / 1e3) / math.log(lipschitz)))


def _require_met(error: Tensor, allowed: Tensor, rounds: int, lipschitz: float) -> None:
    met = error <= allowed
    require(
        met,
        lambda: (
            f"numerical inverse: {int(beneath(~met).sum())} of {beneath(met).numel()} points did not "
            f"converge in {rounds} rounds, enough where the net contracts by lipschitz={lipschitz}, inputs "
            "are finite and the tolerance is above rounding, 8 eps / (1 - lipschitz): check all three. "
            "In training mode norms are estimated: call eval() to invert"
        ),
    )
