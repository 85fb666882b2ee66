"""What a task may ask of an answer besides its values: arguments that stay, gradients, a step that learns.

Each check works in a notebook and at grading, where the answer lives in another process.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from flowlib import derivatives
from flowlib.suspects import broken, same

__all__ = [
    "as_value", "check_differentiable", "check_learns", "check_unchanged",
]  # fmt: skip


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def as_value(made: Any) -> Any:
    """A value that a task asks for, given as itself or as a function without arguments that returns it."""
    return made() if callable(made) else made


def check_unchanged(function: Callable, *arguments: Any) -> None:
    """The function leaves what it was given as it was.

    Args:
        function: what to call.
        arguments: tensors, or lists or dictionaries of them.

    Raises:
        LawBroken: naming the argument that was changed in place.
    """
    # At grading the arguments are copied into another process, which is asked what became of them there.
    asked = getattr(function, "changed_arguments", None)
    if asked is None:
        mine = copy.deepcopy(arguments)
        function(*mine)
        changed = [number for number, pair in enumerate(zip(mine, arguments, strict=True)) if not same(*pair)]
    else:
        changed = asked(*arguments)
    if changed:
        fact = f"{_name(function)} changes its {_ORDINALS[changed[0]]} argument in place"
        raise broken("check_unchanged", f"{fact}: work on a copy, as `z.clone()` makes one", None)


def check_differentiable(
    function: Callable, *arguments: Any, by: Iterable[int], tolerance: float = 1e-4
) -> None:
    """Autograd sees all that the function does: its gradients agree with difference quotients.

    Args:
        function: what to call; it returns a tensor or several.
        arguments: in float64; a number whose gradient is asked for is a tensor of shape ().
        by: the places of the arguments, 0 for the first, whose gradients are asked for: tensors, or
            tuples of them.
        tolerance: relative to 1 + |derivative|.

    Raises:
        LawBroken: naming the argument that no gradient reaches, or not the whole of it.
    """
    by = sorted(by)
    # At grading the function lives in another process, where the gradients are taken.
    autograd = getattr(function, "gradients", None) or functools.partial(_gradients, function)
    found = iter(autograd(*arguments, by=by))
    for place in by:
        parts = [derivatives.weights_like(part) for part in derivatives.tensors(arguments[place])]
        slopes = [float((weights.flatten() * next(found).flatten()).sum()) for weights in parts]
        slope, true = sum(slopes), derivatives.quotient(function, arguments, place)
        if abs(slope - true) <= tolerance * (1 + abs(true)):
            continue
        argument = f"the {_ORDINALS[place]} argument of {_name(function)}"
        if not any(slopes):
            guess = (
                "the graph is cut on the way: detach, no_grad, item, or a gradient without create_graph=True"
            )
            raise broken("check_differentiable", f"no gradient reaches {argument}", guess)
        fact = f"the gradient by {argument} is {slope:.4g}, and {true:.4g} by difference quotients"
        raise broken("check_differentiable", fact, "a part of the way is cut off, as detach() in a loop does")


def _gradients(function: Callable, *arguments: Any, by: list[int]) -> list[Tensor]:
    return derivatives.gradients(function, arguments, by)


def check_learns(make: Callable[[], Any], *calls: tuple[str, Tensor], rate: float = 0.1) -> None:
    """A step of gradient descent moves all that a layer's result depends on, each number down its slope.

    The optimizer is made before the first call, as training loops do. The slopes are difference quotients
    of what the last call returns, so it does not matter how the layer takes its step.

    Args:
        make: builds a new layer in float64, the same each time.
        calls: (name of a method, points), in order. Entries of the state with a single number are left
            out: they are flags and counters.

    Raises:
        LawBroken: naming the entry of the state that stayed where it was, or moved elsewhere.
    """
    layer, twin = make(), make()
    for method, x in calls[:-1]:
        getattr(twin, method)(x)
    before = copy.deepcopy(dict(twin.state_dict()))
    # At grading the layer lives in another process, where the step is taken.
    descend = getattr(layer, "_descend", None) or functools.partial(derivatives.descend, layer)
    reached = descend(list(calls), rate)
    after, method, slopes = layer.state_dict(), calls[-1][0], {}
    for name, old in before.items():
        if not isinstance(old, Tensor) or not old.is_floating_point() or old.numel() == 1:
            continue
        slopes[name] = derivatives.state_slopes(twin, before, name, *calls[-1])
        step, wanted = (after[name] - old).detach().double(), -rate * slopes[name]
        if torch.allclose(step, wanted, rtol=1e-5, atol=1e-6):
            continue
        if bool(step.any()):
            fact = f"a step of gradient descent on {method} moves {name} elsewhere than down its slope"
            raise broken("check_learns", fact, "a part of the way is cut off, as detach() does")
        raise broken(
            "check_learns",
            f"a step of gradient descent on {method} leaves {name} where it was",
            "an optimizer made before the first batch holds other parameters than these, or they are detached"
            if reached
            else "no gradient reaches it: detach, no_grad, or a tensor that is no trainable parameter",
        )
    if not any(bool(slope.any()) for slope in slopes.values()):
        raise broken("check_learns", f"{method} depends on nothing that state_dict holds", None)


def _name(function: Callable) -> str:
    return getattr(function, "__name__", "the function")
