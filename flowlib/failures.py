"""Why a training fails: what is wrong with the data beforehand, what broke first in a run that diverged."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flowlib.flow import Flow
from flowlib.linear import ActNorm

__all__ = ["check_finite", "column_of", "diverged", "warn_of_scale"]

# Numbers beyond the first, which a flow takes to latents beyond the second, say that nobody standardised the
# data: a flow reaches a scale of 1,000 within a few hundred steps, one of 100,000 hardly ever.
FAR_DATA, FAR_LATENTS = 1e4, 100.0


def check_finite(values: Tensor, name: str) -> None:
    """Raise ValueError if a number of `values`, (n, ...), is NaN or infinite; say which row and column."""
    wrong = ~torch.isfinite(values)
    if not bool(wrong.any()):
        return
    row, *place = wrong.nonzero()[0].tolist()
    column = f", column {place[0] if len(place) == 1 else tuple(place)}" if place else ""
    rows = int(wrong.view(len(values), -1).any(1).sum())
    raise ValueError(
        f"{name} holds numbers that are not finite in {rows} of its {len(values):,} rows; the first is "
        f"{values[(row, *place)].item()} in row {row}{column}. Leave these rows out, here and in all that "
        f"belongs to them: keep = torch.isfinite({name}).view(len({name}), -1).all(1); or fill the gaps and "
        "tell the flow by a context where they were"
    )


def column_of(values: Any, name: str) -> Tensor:
    """A column in float64: a longitude's 1e-4 would drown in float32."""
    try:
        numbers = values.numpy(force=True) if isinstance(values, Tensor) else values
        column = torch.from_numpy(np.array(numbers, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"{name} holds what is no number: leave it out, or make it the context") from None
    if bad := int((~torch.isfinite(column)).sum()):
        raise ValueError(
            f"{name} holds {bad} values that are missing or infinite: drop these rows, or model them"
        )
    return column


def warn_of_scale(flow: Flow, x: Tensor, context: Tensor | None) -> None:
    """Warn if the first rows of x lie far out for this flow: fitting would spend its steps on getting there.

    The flow says itself how far, by its latents, for it may well know the scale of x; one that has yet to
    take its scale from its first batch (`ActNorm`) is not asked.
    """
    if float(x.abs().max()) <= FAR_DATA:
        return
    if any(isinstance(part, ActNorm) and not bool(part.initialised) for part in flow.modules()):
        return
    home = next(flow.parameters()).device
    few, given = x[:100].to(home), None if context is None else context[:100].to(home)
    was_training = flow.training
    with torch.no_grad(), torch.random.fork_rng([home] if home.type == "cuda" else []):
        z = flow.eval().to_latent(few, given)
    flow.train(was_training)
    reach = float(z.flatten(1).abs().mean(0).max())
    if reach <= FAR_LATENTS:
        return
    columns = x.flatten(1).double()
    widest = int(columns.abs().mean(0).argmax())
    warnings.warn(
        f"x is far from where this flow starts: column {widest} has mean {columns[:, widest].mean():.3g} and "
        f"standard deviation {columns[:, widest].std(correction=0):.3g}, and latents lie about {reach:.1g} "
        "standard deviations out. Standardise first, units = Standardizer.fit(x), "
        "fit(flow, units.inverse(x)[0], ...), and score and sample in the old units with "
        "Flow(Chain(flow.bijection, units), flow.base)",
        stacklevel=3,
    )


def diverged(step: str, value: float, flow: nn.Module, rows: Tensor, context: Tensor | None) -> str:
    """What to say of a run whose loss, or a gradient of it, is no finite number: the first to break, by name.

    Args:
        step: at which step, or between which two, this was noticed.
        value: the loss of that step.
        flow: as the steps before left it, with the last gradients.
        rows, context: the batch of that step.
    """
    named = [(name, parameter) for name, parameter in flow.named_parameters() if parameter.requires_grad]
    broken = [(name, p) for name, p in named if not _finite(p)]
    steep = [(name, p.grad) for name, p in named if p.grad is not None and not _finite(p.grad)]
    if math.isfinite(value):
        text = f"a gradient became infinite or no number at step {step}, where the loss was {value:.4g}"
    else:
        text = f"the training loss became {value} at step {step}"
    if broken and not steep:
        text += f". The parameter {_list(broken)}"
    elif steep:
        # Going backwards starts where the parameters start, at the end that makes z.
        since = " in the step before" if broken else ""
        text += f". First to break{since} was the gradient of {_list(steep)}"
    else:
        text += _first_layer(flow, rows, context)
        largest = {name: float(p.grad.abs().max()) for name, p in named if p.grad is not None}
        if largest:
            name = max(largest, key=lambda key: largest[key])
            text += f". The largest gradient before that was {largest[name]:.3g}, in {name}"
    return (
        f"{text}. Look for values outside the flow's domain or base, lower lr or clip, or bound the scales."
    )


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _list(culprits: Sequence[tuple[str, Tensor]]) -> str:
    (name, tensor), *others = culprits
    bad = tensor.detach()[~torch.isfinite(tensor)][0].item()
    return f"{name} ({bad}" + (f"; with it {len(others)} more)" if others else ")")


def _first_layer(flow: nn.Module, rows: Tensor, context: Tensor | None) -> str:
    """The first layer on the way from x to z whose value is not finite; "" if it cannot be told."""
    if not isinstance(flow, Flow):
        return ""
    try:
        stops = flow.path(rows, context, inverse=True)
    except (ValueError, TypeError, RuntimeError):
        return ""
    for place, (before, stop) in enumerate(pairwise(stops)):
        for what, numbers in (("value", stop.value), ("log-determinant", stop.log_det)):
            if not _finite(numbers):
                return (
                    f". First to break was the {what} of layer {len(stops) - 2 - place} of the flow, "
                    f"{stop.name}, given numbers up to {before.value.abs().max().item():.3g}"
                )
    if not _finite(flow.base.log_prob(stops[-1].value)):
        return f". All layers give finite numbers; the base, {flow.base}, has no density at one of the z"
    return ""
