"""How a wrong value is put into words, and the mistakes that people make most often.

    checks.check_value("log_det", log_det, s.sum(1), {"the mean is taken instead of the sum": s.mean(1)})

A mistake gets its own name or none: a suspect is named only if it explains every number.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowlib.bijection import Bijection, Chain
from flowlib.cures import show_cure
from flowlib.flow import Flow
from flowlib.numerics import agree, jacobian_of, quiet

__all__ = [
    "LawBroken", "Suspects", "broken", "chain_suspects", "check_value", "density_suspects",
    "diagnose", "first_difference", "log_det_mistakes", "log_det_suspects", "log_prob_mistakes",
    "same", "sampler_suspects", "short", "which_part",
]  # fmt: skip


Suspects = Mapping[str, "Tensor | float | Callable[[], Tensor | float] | None"]


class LawBroken(AssertionError):
    """A law does not hold; the message says which, by how much, and what is likely wrong."""

    cure_is_shown = False

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of frames, and keeps: the sentence, and the reader's own line."""
        if not self.cure_is_shown:
            self.cure_is_shown = True
            show_cure(str(self))
        return short(self)


def short(error: BaseException) -> list[str]:
    """An error in two lines: what it says, and the line of a notebook's cell in which it arose."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    where = [f"in line {own[-1].lineno} of the cell: {own[-1].line}"] if own else []
    return [f"{type(error).__name__}: {error}", *where]


def broken(law: str, fact: str, guess: str | None) -> LawBroken:
    return LawBroken(f"{law}: {fact}." + (f" Likely mistake: {guess}." if guess else ""))


def check_value(
    name: str,
    found: Any,
    expected: Tensor | float,
    suspects: Suspects | None = None,
    *,
    tolerance: float | None = None,
    relative: float = 0.0,
    where: str = "",
    otherwise: str = "",
    show: bool = True,
) -> None:
    """A result is a tensor of the shape, dtype and values that were asked for.

    Args:
        name: what it is, as the task calls it: "x", "log_det".
        found: what came.
        expected: what should have come; a float where a number is enough.
        suspects: mistake -> the value that it would give (or a function that works it out; None is skipped).
        tolerance: the largest absolute error allowed; by default 1e-6 in float64 and 1e-3 below it.
        relative: allowed besides, as a part of the expected value.
        where: the input in words, "with D = 40".
        otherwise: what to say where no suspect fits.
        show: name the first entry that differs, with what was expected there.

    Raises:
        LawBroken: naming the mistake, or else the first entry that differs.
    """
    name = f"{where}: {name}" if where else name
    if not isinstance(expected, Tensor):
        expected = torch.tensor(float(expected), dtype=torch.float64)
    value = _as_tensor(name, found, expected)
    tolerance = tolerance or (1e-6 if expected.dtype == torch.float64 else 1e-3)
    if _agree(value, expected, tolerance, relative):
        return
    if fitting := _fitting(value, expected, suspects or {}, tolerance):
        raise LawBroken(f"{name} is wrong: {' (or: '.join(fitting[:2])}{')' * (len(fitting) > 1)}")
    if not otherwise and tolerance <= 1e-5 and _agree(value, expected, 1e-3, 1e-3):
        otherwise = "nearly right: something small is added, a step too few, or float32 inside"
    hint = f": {otherwise}" if otherwise else ""
    lost = int((value.isnan() & ~expected.isnan()).sum())
    if lost:
        raise LawBroken(f"{name} is not a number (NaN) in {lost} of {value.numel()} entries{hint}")
    difference = f", {first_difference(value, expected, tolerance, relative)}" if show else ""
    raise LawBroken(f"{name} is wrong{difference}{hint}")


def first_difference(found: Tensor, expected: Tensor, tolerance: float, relative: float = 0.0) -> str:
    """The first entry that differs, in words."""
    found, expected = found.detach().double(), expected.detach().double()
    apart = ~torch.isclose(found, expected, rtol=relative, atol=tolerance)
    if expected.dim() == 0:
        return _apart(found.item(), expected.item())
    place = tuple(apart.nonzero()[0].tolist())
    share = f" ({int(apart.sum())} of {apart.numel()} entries differ)" if apart.numel() > 1 else ""
    return f"at {list(place)} it is {_apart(found[place].item(), expected[place].item())}{share}"


def same(one: Any, other: Any) -> bool:
    """Two values are equal: tensors, arrays, numbers, strings, and lists or dictionaries of them."""
    if isinstance(one, Tensor | np.ndarray):
        if type(one) is not type(other) or one.shape != other.shape:
            return False
        return bool(torch.as_tensor(one == other).all())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def log_det_mistakes(true: Tensor, count: int) -> dict[str, Tensor]:
    """What a log-determinant of `count` dimensions, (batch,), becomes by the usual slips."""
    return {
        "the sign is flipped: this is the log-determinant of the way back": -true,
        "the log-determinant is left out (zero)": torch.zeros_like(true),
        "the logarithm is missing: this is |det J| itself": true.exp(),
        "the mean over the dimensions is taken instead of the sum": true / count,
        "it is summed over the batch: there must be one number for each point": true.sum().expand_as(true),
        "it is averaged over the batch: there must be one number for each point": true.mean().expand_as(true),
        "the logarithm has base 2: use the natural logarithm": true / math.log(2),
        "the logarithm has base 10: use the natural logarithm": true / math.log(10),
    }


def log_prob_mistakes(z: Tensor, log_det: Tensor) -> dict[str, Tensor]:
    """What log N(z; 0, I) + log_det becomes by the usual slips; z (batch, D), log_det (batch,) of x -> z."""
    dim, square = z.shape[1], z.square().sum(1)
    constant = 0.5 * math.log(2 * math.pi)
    base = -0.5 * square - dim * constant
    true = base + log_det
    return {
        "the log-determinant is left out": base,
        "the log-determinant has the wrong sign: is it that of x -> z?": base - log_det,
        "the log-determinant is counted twice": base + 2 * log_det,
        "the sign of the whole is flipped: a log-density is asked for, not its negative": -true,
        "this is the density itself, not its logarithm": true.exp(),
        "the factor 1/2 before |z|^2 is missing": -square - dim * constant + log_det,
        "the constant D/2 log(2 pi) of the base is missing": true + dim * constant,
        "the constant of one dimension is taken for all D: it is D/2 log(2 pi)": true + (dim - 1) * constant,
        "log(2 pi) is subtracted once; its half belongs to each dimension": true + (dim - 2) * constant,
        "the constant must be D/2 log(2 pi); its factor 1/2 is missing": true - dim * constant,
        "the mean over the dimensions is taken instead of the sum": true / dim,
        "the base's mean over the dimensions is taken instead of its sum": base / dim + log_det,
        "the logarithm has base 2: use the natural logarithm": true / math.log(2),
        "it is averaged over the batch: there must be one number for each point": true.mean().expand_as(true),
        "it is summed over the batch: there must be one number for each point": true.sum().expand_as(true),
    }


def _fitting(value: Tensor, expected: Tensor, suspects: Suspects, tolerance: float) -> list[str]:
    """The mistakes that explain every number; several, where the numbers cannot tell them apart."""
    fitting = []
    for mistake, wrong in suspects.items():
        wrong = wrong() if callable(wrong) else wrong
        if wrong is None or _agree(torch.as_tensor(wrong), expected, tolerance, 0.0):
            continue  # on this input the mistake would make no difference
        if _agree(value, torch.as_tensor(wrong), max(tolerance, 1e-5), 1e-5):
            fitting.append(mistake)
    return fitting


def _as_tensor(name: str, found: Any, expected: Tensor) -> Tensor:
    """What came, if it has the type, shape and dtype that were asked for."""
    shape, dtype = tuple(expected.shape), _name(expected.dtype)
    if shape == () and isinstance(found, int | float | np.number):
        return torch.tensor(float(found), dtype=expected.dtype)
    if found is None:
        raise LawBroken(f"{name} is None: the function hands nothing back; write return")
    if isinstance(found, np.ndarray):
        raise LawBroken(f"{name} is a NumPy array: return a tensor")
    if not isinstance(found, Tensor):
        raise LawBroken(f"{name} is a {type(found).__name__}: return a tensor of shape {shape}")
    if shape == () and found.numel() == 1:
        return found.detach().reshape(()).to(expected.dtype)
    if found.shape != expected.shape:
        raise LawBroken(f"{name} has shape {tuple(found.shape)}, expected {shape}{_reshaped(found, shape)}")
    if found.dtype != expected.dtype:
        raise LawBroken(f"{name} is {_name(found.dtype)}, expected {dtype}: keep the dtype")
    return found.detach()


def _reshaped(found: Tensor, shape: tuple[int, ...]) -> str:
    """What a wrong shape says of the mistake, where one number for each point is asked for."""
    if len(shape) != 1:
        return ""
    if found.dim() == 0:
        return ": one number for each point, not one for the whole batch"
    if found.shape == (*shape, 1):
        return ": drop the last axis"
    if found.dim() > 1 and found.shape[:1] == shape:
        return ": sum over the dimensions of each point"
    return ""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _agree(value: Tensor, other: Tensor, tolerance: float, relative: float) -> bool:
    if value.shape != other.shape:
        return False
    return torch.allclose(
        value.double(), other.detach().double(), rtol=relative, atol=tolerance, equal_nan=True
    )


def _apart(found: float, expected: float) -> str:
    """Two numbers in words that show how they differ; never "3.6603, expected 3.6603"."""
    if f"{found:.4g}" == f"{expected:.4g}":  # a grader shows four digits of what it hides
        return f"{found:.5g}, off by {found - expected:.1e}"
    return f"{found:.5g}, expected {expected:.5g}"


# --- suspects of the laws ---------------------------------------------------------------------


def log_det_suspects(
    true: Tensor, jacobian: Tensor, z: Tensor, x: Tensor, map_: Callable, context: Tensor | None
) -> dict[str, Tensor]:
    """What the usual mistakes would return in place of the true log-determinant."""
    count = jacobian.shape[-1]
    diagonal = jacobian.diagonal(dim1=-2, dim2=-1)
    with torch.no_grad():
        suspects = {
            **log_det_mistakes(true, count),
            "the absolute value or the logarithm is missing: this is det J": jacobian.det(),
            "the absolute value is missing: a negative determinant has no logarithm": torch.where(
                jacobian.det() < 0, math.nan, true
            ),
            "it is twice as large as it should be": 2 * true,
            "it is half as large as it should be": true / 2,
            "only the first dimension is counted": diagonal[:, 0].abs().log(),
            "only the last dimension is counted": diagonal[:, -1].abs().log(),
            "the derivative itself is returned for its logarithm, summed over the dimensions": diagonal.sum(
                -1
            ),
            "the determinant is taken as the product of the Jacobian's diagonal, but J is not triangular": (
                diagonal.abs().log().sum(-1)
            ),
        }
        if z.dim() == 4:
            pixels = z.shape[-1] * z.shape[-2]
            suspects["the factor H*W is missing: the same map acts on every pixel"] = true / pixels
        at_value = quiet(lambda point, rows=None: jacobian_of(map_, point, rows)[:1], x.to(z.dtype), context)
        if at_value is not None:
            elsewhere = torch.linalg.slogdet(at_value)[1]
            suspects["the derivative is taken at the output x instead of the input z"] = elsewhere
            suspects["the derivative is taken at the output, and the sign is flipped"] = -elsewhere
    return suspects


def chain_suspects(subject: Any, z: Tensor, x: Tensor, context: Tensor | None) -> dict[str, Tensor | None]:
    """For a stack of layers: inverted in the wrong order, or only in part."""
    bijection = subject.bijection if isinstance(subject, Flow) else subject
    if not isinstance(bijection, Chain) or len(bijection) < 2:
        return {}

    return {
        "the layers are inverted in the wrong order: the last must come first": quiet(
            lambda p, r=None: _inverses_in_forward_order(bijection, p, r), x, context
        ),
        "only the first layer is inverted": quiet(
            lambda p, r=None: bijection[0].inverse(p, r)[0], x, context
        ),
        "only the last layer is inverted": quiet(
            lambda p, r=None: bijection[-1].inverse(p, r)[0], x, context
        ),
    }


def _inverses_in_forward_order(layers: Iterable[Bijection], point: Tensor, context: Tensor | None) -> Tensor:
    for layer in layers:
        point = layer.inverse(point, context)[0]
    return point


def density_suspects(flow: Flow) -> dict[str, Callable]:
    """Densities that would be right, had the flow not made a usual mistake."""

    def right(x: Tensor, rows: Tensor | None = None) -> Tensor:
        z, log_det = flow.bijection.inverse(x, rows)
        return flow.base.log_prob(z) + log_det

    def flipped(x: Tensor, rows: Tensor | None = None) -> Tensor:
        z, log_det = flow.bijection.inverse(x, rows)
        return flow.base.log_prob(z) - log_det

    return {
        "log_prob subtracts the log-determinant of x -> z; it must add it": right,
        "the log-determinant has the wrong sign (or is that of the other direction)": flipped,
    }


def sampler_suspects(flow: Flow, x: Tensor, rows: Tensor | None) -> dict[str, Tensor | None]:
    """Where samples would come from the base, had the sampler made a usual mistake."""
    suspects = {
        "noise was pushed through the normalising direction (x -> z) instead of the generating one": quiet(
            lambda p, r=None: flow.bijection(p, r)[0], x, rows
        ),
        "the noise was returned as it is": x,
    }
    if isinstance(flow.bijection, Chain) and len(flow.bijection) > 1:
        layers = list(flow.bijection)
        suspects["only the first layer of the stack is used"] = quiet(
            lambda p, r=None: layers[0].inverse(p, r)[0], x, rows
        )
        suspects["only the last layer of the stack is used"] = quiet(
            lambda p, r=None: layers[-1].inverse(p, r)[0], x, rows
        )

        suspects["the layers are applied in the wrong order"] = quiet(
            lambda point, r=None: _inverses_in_forward_order(layers, point, r), x, rows
        )
    return suspects


def diagnose(
    value: Tensor, truth: Tensor, suspects: Mapping[str, Tensor | None], tolerance: float
) -> str | None:
    """The first suspect that explains the value at every point, to the three digits a verdict needs."""
    tolerance = max(tolerance, 1e-3)
    if agree(value, truth, tolerance):
        return "nearly right: a solver's tolerance, a step too few, or float32 somewhere inside"
    for name, suspect in suspects.items():
        if (
            suspect is not None
            and suspect.shape == value.shape
            and agree(value, suspect, tolerance, nan=True)
        ):
            return name
    return None


def which_part(value: Tensor, truth: Tensor, tolerance: float) -> str | None:
    """Which coordinates come back and which do not."""
    wrong = ((value - truth).abs() > tolerance * (1 + truth.abs())) | ~torch.isfinite(value)
    if value.dim() == 2 and value.shape[1] > 1:
        columns = wrong.any(0)
        if bool(columns.any()) and not bool(columns.all()):
            names = ", ".join(str(i) for i in columns.nonzero().flatten().tolist()[:6])
            return (
                f"only coordinates {names} fail: do both directions compute their change from the same part?"
            )
    rows = wrong.flatten(1).any(1) if value.dim() > 1 else wrong
    if not bool(rows.all()):
        return (
            f"it fails at {int(rows.sum())} of {len(rows)} points only: perhaps the map folds there "
            "(two z give one x), or a branch is handled in one direction only"
        )
    return None
