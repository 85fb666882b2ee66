"""What a law is asked about: a layer, a flow or plain functions, and how each is called."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowlib.bijection import Bijection, Chain
from flowlib.flow import Flow
from flowlib.suspects import broken

__all__ = [
    "call", "device_of", "directions", "dtype_of", "event_shape_of", "in_double", "points_for",
]  # fmt: skip


def directions(
    forward: Bijection | Flow | Callable, inverse: Callable | None, z: Tensor | None
) -> tuple[Callable, Callable, Tensor]:
    """The two maps as functions, and the points to try."""
    module = forward.bijection if isinstance(forward, Flow) else forward
    points = z if z is not None else points_for(forward)
    if isinstance(module, Bijection):
        # A copy in evaluation mode: looking at a layer must not start its ActNorm.
        module = copy.deepcopy(module).eval()
        return module, module.inverse, points
    if inverse is None:
        raise TypeError("with plain functions, give both: check(forward, inverse, z)")
    return forward, inverse, points


def in_double(
    subject: Any, z: Tensor | None, context: Tensor | None, direction: str
) -> tuple[Callable, Tensor, Tensor | None]:
    """One direction as a function in float64, with its points and context.

    Modules are copied and converted. A plain function that holds float32 tensors and refuses
    float64 input is given the points as they came.
    """
    if direction not in ("forward", "inverse"):
        raise ValueError(f'direction must be "forward" or "inverse", got {direction!r}')
    points = z if z is not None else points_for(subject)
    owner = getattr(subject, "__self__", None)
    if isinstance(owner, nn.Module):
        map_ = getattr(copy.deepcopy(owner).double(), subject.__name__)
    elif isinstance(subject, nn.Module):
        module = copy.deepcopy(subject.bijection if isinstance(subject, Flow) else subject).double().eval()
        map_ = module.inverse if direction == "inverse" else module
    else:
        map_ = subject
    wide = points.double(), None if context is None else context.double()
    if points.dtype != torch.float64 and map_ is subject:
        try:
            map_(wide[0]) if context is None else map_(*wide)
        except (RuntimeError, TypeError):
            return map_, points, context
    return map_, *wide


def points_for(subject: Any) -> Tensor:
    """Standard normal points of the subject's event shape, the same every time."""
    shape = event_shape_of(subject, None)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, *shape, generator=generator).to(dtype=dtype_of(subject), device=device_of(subject))


def event_shape_of(subject: Any, x: Tensor | None) -> tuple[int, ...]:
    if x is not None:
        return tuple(x.shape[1:])
    shape = getattr(subject, "event_shape", None)
    if shape is None and isinstance(subject, Chain):
        shapes = [s for layer in subject.layers if (s := getattr(layer, "event_shape", None)) is not None]
        shape = shapes[0] if shapes else None
    if shape is None:
        raise TypeError("give points to try: z, a tensor of shape (batch, *event)")
    return tuple(shape)


def dtype_of(subject: Any) -> torch.dtype:
    if isinstance(subject, nn.Module):
        for tensor in (*subject.parameters(), *subject.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
    return torch.get_default_dtype()


def device_of(subject: Any) -> torch.device:
    if isinstance(subject, nn.Module):
        for tensor in (*subject.parameters(), *subject.buffers()):
            return tensor.device
    return torch.device("cpu")


def call(
    function: Callable, point: Tensor, context: Tensor | None, name: str, law: str
) -> tuple[Tensor, Tensor]:
    """Call one direction and hold what it returns against the contract."""
    result = function(point) if context is None else function(point, context)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        kind = f"{len(result)} things" if isinstance(result, (tuple, list)) else type(result).__name__
        raise broken(
            law, f"{name} must return two tensors, a value and its log_det; it returned {kind}", None
        )
    value, log_det = (torch.as_tensor(part) for part in result)
    if value.shape != point.shape:
        raise broken(
            law,
            f"{name} turned shape {tuple(point.shape)} into {tuple(value.shape)}: a bijection keeps it",
            None,
        )
    batch = len(point)
    if log_det.shape != (batch,):
        guess = None
        if log_det.dim() == 0:
            guess = (
                "it is summed or averaged over the batch, or a constant: expand it to one number per point"
            )
        elif log_det.shape == point.shape:
            guess = "the log-derivatives of the elements are not summed over each point"
        raise broken(law, f"{name}'s log_det has shape {tuple(log_det.shape)}, expected ({batch},)", guess)
    if not bool(torch.isfinite(value).all()):
        raise broken(law, f"{name} returns values that are not finite", None)
    return value, log_det
