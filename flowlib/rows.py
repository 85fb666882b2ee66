"""Data as `fit` takes them: rows, and for each a context and a weight, where there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from flowlib.failures import check_finite
from flowlib.inputs import check_tensor
from flowlib.processes import Workers

__all__ = ["Batch", "Rows", "read_rows"]

Batch = tuple[Tensor, Tensor | None, Tensor | None]  # rows, their context, their weights


@dataclass(frozen=True)
class Rows:
    """Rows of shape (n, *event), their context (n, context) and their weights (n,), whose mean is 1."""

    x: Tensor
    context: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def each(self, change: Callable[[Tensor], Tensor]) -> Rows:
        """The same change of rows, context and weights."""
        context, weights = (None if part is None else change(part) for part in (self.context, self.weights))
        return Rows(change(self.x), context, weights)

    def part(self, which: slice | Tensor) -> Rows:
        """Some of the rows, or all in another order."""
        return self.each(lambda whole: whole[which])

    def slices(self, size: int, last: bool) -> Iterator[Batch]:
        """So many rows after so many; the `last`, if they are fewer, only if asked for."""
        for first in range(0, len(self) if last else len(self) - size + 1, size):
            part = self.part(slice(first, first + size))
            yield part.x, part.context, part.weights

    def batches(self, size: int, generator: torch.Generator, device: torch.device) -> Iterator[Batch]:
        """Batches of rows drawn without replacement, epoch after epoch; an incomplete one is dropped."""
        rows = self.each(lambda part: part.to(device))
        while True:
            # Shuffling once an epoch makes every batch a slice, which copies nothing.
            order = torch.randperm(len(self), generator=generator).to(device)
            yield from rows.part(order).slices(size, last=False)

    def share(self, workers: Workers) -> Rows:
        """What of them this process has to look at."""
        return self.each(workers.share)


def read_rows(
    x: Tensor,
    valid: Tensor | None,
    context: Tensor | None,
    valid_context: Tensor | None,
    weights: Tensor | None,
    valid_weights: Tensor | None,
) -> tuple[Rows, Rows | None]:
    """The data of `fit`, and those to validate on.

    Raises:
        TypeError: something is no tensor.
        ValueError: there are no rows, not a row of context and a weight for each, or a number that is not
            finite.
    """
    given = {
        "x": x, "valid": valid, "context": context, "valid_context": valid_context,
        "weights": weights, "valid_weights": valid_weights,
    }  # fmt: skip
    named = {name: values for name, values in given.items() if values is not None}
    for name, values in named.items():
        check_tensor(values, name)
    if len(x) == 0:
        raise ValueError(f"expected at least one row to fit, got x of shape {tuple(x.shape)}")
    if valid is not None and len(valid) == 0:
        raise ValueError("valid holds no rows: pass None, or at least one")
    for name, rows in (("context", x), ("valid_context", valid), ("weights", x), ("valid_weights", valid)):
        if name in named and (rows is None or len(named[name]) != len(rows)):
            wanted = "no validation data" if rows is None else f"{len(rows)} rows of data"
            raise ValueError(f"{name} has {len(named[name])} rows, for {wanted}")
    if valid is not None and context is not None and valid_context is None:
        raise ValueError("the flow is fitted with context: its validation needs valid_context= as well")
    for name, values in named.items():
        check_finite(values, name)
    data = Rows(x, context, _relative(weights, "weights", x))
    if valid is None:
        return data, None
    return data, Rows(valid, valid_context, _relative(valid_weights, "valid_weights", valid))


def _relative(weights: Tensor | None, name: str, x: Tensor) -> Tensor | None:
    """Weights whose mean is 1: then the mean of weighted losses, over all rows, is the weighted mean."""
    if weights is None:
        return None
    if weights.dim() != 1 or not bool((weights >= 0).all()) or not bool((weights > 0).any()):
        raise ValueError(
            f"{name} must be one number >= 0 for each row, not all of them 0; got shape "
            f"{tuple(weights.shape)}, from {weights.min().item():.3g} to {weights.max().item():.3g}"
        )
    weights = weights.double()
    return (weights / weights.mean()).to(torch.float64 if x.dtype == torch.float64 else torch.float32)
