"""What a flow is given: is it of the right kind, and if not, what should one write instead?

Every message says what was expected, what came, and the line that helps. Nothing here looks at the
values of a tensor, so no GPU is made to wait.
"""

from __future__ import annotations

import math
import operator

import torch
from torch import Tensor

__all__ = ["check_kind", "check_tensor", "other_shape", "whole_number"]

# How to make a tensor of what people hold in its place, by the name of the class.
REMEDIES = {
    "ndarray": "torch.from_numpy({name}).float()",
    "DataFrame": "torch.from_numpy({name}.to_numpy()).float()",
    "Series": "torch.from_numpy({name}.to_numpy()).float()",
    "DataLoader": "torch.cat([rows for rows, *_ in loader]); `fit` makes batches by itself",
    "TensorDataset": "dataset.tensors[0]; `fit` makes batches by itself",
    "list": "torch.tensor({name}), or torch.from_numpy(np.array({name})).float()",
    "tuple": "torch.tensor({name}), or torch.from_numpy(np.array({name})).float()",
}
SHORT = {torch.float32: ".float()", torch.float64: ".double()", torch.bfloat16: ".bfloat16()"}


def check_tensor(values: object, name: str) -> None:
    """Raise TypeError unless `values` is a tensor; the message says how to make one."""
    if not isinstance(values, Tensor):
        remedy = REMEDIES.get(type(values).__name__, "torch.as_tensor({name})").format(name=name)
        raise TypeError(f"expected {name} as a tensor, got {_article(type(values).__name__)}: write {remedy}")


def check_kind(values: Tensor, like: Tensor, name: str, owner: object) -> None:
    """Raise unless `values` is on the device and of the dtype of `like`, a tensor of the owner's own.

    Raises:
        ValueError: another device.
        TypeError: another dtype. Under autocast, which mixes them on purpose, any floating-point one does.
    """
    what = f"{type(owner).__name__} expected {name}"
    if values.device != like.device:
        raise ValueError(
            f"{what} on {like.device}, where its weights are, got {values.device}: "
            f'write {name}.to("{like.device}"), or flow.to("{values.device}")'
        )
    if values.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type):
        remedy = f"{name}{_cast(like.dtype)}"
        if values.is_floating_point():
            remedy += f", or flow{_cast(values.dtype)} to compute in that precision"
        raise TypeError(f"{what} as {like.dtype}, like its weights, got {values.dtype}: write {remedy}")


def whole_number(value: object, what: str, least: int | None = 0) -> int:
    """A count as an int; a NumPy integer and a tensor of one whole number count as well.

    Raises:
        ValueError: a float, a bool, a shape, a text, or less than `least`, if that is given.
    """
    wrong = isinstance(value, bool) or (
        isinstance(value, Tensor) and (value.dim() > 0 or value.dtype == torch.bool)
    )
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        wrong = True
    if wrong or (least is not None and number < least):
        several = " a number, not a shape:" if isinstance(value, tuple | list) else ""
        bound = "" if least is None else f" >= {least}"
        raise ValueError(f"{what} must be{several} a whole number{bound}, got {value!r}")
    return number


def other_shape(got: tuple[int, ...], event: tuple[int, ...]) -> str:
    """What probably happened to a batch of this shape, and the line that mends it; "" if nothing fits.

    Args:
        got: the shape that came.
        event: the shape of one row; (batch, *event) was expected.
    """
    if got == event:
        return ": one row without a batch? Write x[None]"
    if len(got) == 4 and len(event) == 3 and (got[3], *got[1:3]) == event:
        return ": are the channels last? Write x.permute(0, 3, 1, 2)"
    if len(got) == 3 and event == (1, *got[1:]):
        return ": is the axis of the one channel missing? Write x[:, None]"
    if len(got) == 1 and event == (1,):
        return ": numbers in one dimension? Write x[:, None]"
    if len(got) == 2 and got[1] == 1 and event == ():
        return ": a column of numbers? Write x[:, 0]"
    if len(got) == 2 and len(event) == 1 and got[0] == event[0]:
        return ": are rows and columns swapped? Write x.T"
    flat = len(got) == 2 or len(event) == 1
    if flat and len(got) > 1 and got[1:] != event and math.prod(got[1:]) == math.prod(event):
        return f": rows of another shape? Write x.reshape(-1, {', '.join(map(str, event))})"
    return ""


def _cast(dtype: torch.dtype) -> str:
    return SHORT.get(dtype, f".to({dtype})")


def _article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
