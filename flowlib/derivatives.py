"""Gradients of a plain function, by autograd and by differences.

The function takes and returns tensors, also in lists and tuples. All its results become one number,
`weighted_sum`, whose derivative is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "descend", "gradients", "on_tensors", "quotient", "state_slopes", "tensors", "weighted_sum",
    "weights_like",
]  # fmt: skip


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a value, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)


def on_tensors(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The value with each of its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(on_tensors(change, part) for part in value)
    return value


def weights_like(tensor: Tensor) -> Tensor:
    """Numbers that differ from entry to entry, so that no two entries can stand in for each other."""
    return torch.cos(torch.arange(tensor.numel(), dtype=tensor.dtype)).view(tensor.shape)


def weighted_sum(result: Any) -> Tensor:
    """All numbers of a result in one, a tensor of shape ()."""
    parts = [(weights_like(part) * part).sum() for part in tensors(result)]
    return torch.stack(parts).sum()


def gradients(function: Callable, arguments: tuple | list, by: Collection[int]) -> list[Tensor]:
    """Autograd's gradient of the weighted sum of what a function returns.

    Args:
        by: the places of the arguments, 0 for the first, by whose tensors it is differentiated.

    Returns:
        one gradient for each of these tensors, zero where autograd finds no way.
    """
    leaves: list[Tensor] = []

    def tracked(tensor: Tensor) -> Tensor:
        leaves.append(tensor.detach().clone().requires_grad_())
        return leaves[-1].clone()  # no leaf: a leaf may not be changed in place, which is another mistake

    with torch.enable_grad():
        mine = [on_tensors(tracked, part) if n in by else part for n, part in enumerate(arguments)]
        total = weighted_sum(function(*mine))
        if not total.requires_grad:
            return [torch.zeros_like(leaf) for leaf in leaves]
        found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)]


def quotient(function: Callable, arguments: tuple | list, by: int, step: float = 1e-5) -> float:
    """The same derivative by one argument, along `weights_like` it, by central differences."""

    def at(distance: float) -> float:
        moved = list(arguments)
        moved[by] = on_tensors(lambda x: x + distance * weights_like(x), arguments[by])
        return float(weighted_sum(function(*moved)))

    return (at(step) - at(-step)) / (2 * step)


def descend(layer: nn.Module, calls: Sequence[tuple[str, Tensor]], rate: float) -> bool:
    """A training loop's first step: the optimizer is made, then methods are called, the last for the loss.

    The loss is the weighted sum of what the last method returns.

    Returns:
        whether autograd found a way from the loss to anything.
    """
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate)
    with torch.enable_grad():
        results = [getattr(layer, method)(x) for method, x in calls]
        loss = weighted_sum(results[-1])
        if loss.requires_grad:
            loss.backward()
    optimizer.step()
    return loss.requires_grad


def state_slopes(layer: Any, state: dict, name: str, method: str, x: Tensor, step: float = 1e-5) -> Tensor:
    """The derivative of a method's weighted sum by each number of one entry of a layer's state.

    Args:
        layer: takes `state` by its `load_state_dict`.

    Returns:
        central differences, in the shape of the entry.
    """

    def at(place: int, distance: float) -> float:
        moved = state[name].detach().clone()
        moved.view(-1)[place] += distance
        layer.load_state_dict({**state, name: moved})
        return weighted_sum(getattr(layer, method)(x)).item()

    slopes = [(at(n, step) - at(n, -step)) / (2 * step) for n in range(state[name].numel())]
    return torch.tensor(slopes, dtype=torch.float64).view(state[name].shape)
