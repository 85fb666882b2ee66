"""Gradients that are right once, and say so when they are asked to be differentiated again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from flowlib.recording import transformed

__all__ = ["first_only", "refuse_again"]


def first_only(value: Tensor, why: str) -> Tensor:
    """The same value; its gradient raises RuntimeError with the words `why` if it is differentiated again.

    Transforms of `torch.func` differentiate as often as they are nested, so they are refused at once.
    """
    if transformed():
        raise RuntimeError(f"no transform of torch.func (vmap, grad, jacrev, jvp) works here: {why}")
    return _FirstOnly.apply(value, why)


def refuse_again(why: str, results: Sequence[Tensor], by: Sequence[Tensor | None]) -> list[Tensor]:
    """The same tensors; to differentiate them by any of `by` raises RuntimeError with the words `why`.

    For the end of a backward pass, where `results` are gradients that hold as numbers only.
    """
    return [*_Refuse.apply(why, len(results), *results, *by)]


class _FirstOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, why: str) -> Tensor:
        ctx.why = why
        ctx.save_for_backward(value)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():
            (gradient,) = refuse_again(ctx.why, [gradient], ctx.saved_tensors)
        return gradient, None


class _Refuse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, why: str, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.why = why
        return tuple(tensor.clone() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError(ctx.why)
