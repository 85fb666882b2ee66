"""The laws that every flow obeys, and what is probably wrong when one is broken.

Each check takes a `Bijection`, a `Flow`, or plain functions, returns nothing when the law holds
and raises `LawBroken` (an AssertionError) when it does not. The message compares the numbers
with the usual suspects and names the mistake that fits.

A plain function follows the contract of the course: `forward(z)` returns x and log|det dx/dz|,
`inverse(x)` returns z and log|det dz/dx|; tensors of shape (batch, *event), log-dets (batch,).
Where autograd cannot follow a function, derivatives are taken by central differences.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from flowlib import moved
from flowlib.answers import as_value, check_differentiable, check_learns, check_unchanged
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection
from flowlib.flow import Flow
from flowlib.numerics import (
    agree,
    base_p_value,
    digits,
    first_wrong,
    jacobian_of,
    largest_error,
    midpoints,
    quiet,
    small_gap,
    usual_tolerance,
)
from flowlib.subjects import call, device_of, directions, dtype_of, event_shape_of, in_double
from flowlib.suspects import (
    LawBroken,
    broken,
    chain_suspects,
    density_suspects,
    diagnose,
    log_det_suspects,
    sampler_suspects,
    which_part,
)
from flowlib.suspects import check_value as check_value
from flowlib.suspects import log_prob_mistakes as log_prob_mistakes

__all__ = [
    "LawBroken", "as_value", "check_bijection", "check_differentiable", "check_dtype_device",
    "check_flow", "check_gradients", "check_inverse", "check_learns", "check_log_det",
    "check_normalized", "check_samples", "check_triangular", "check_unchanged",
    "check_value", "log_prob_mistakes",
]  # fmt: skip


# --- the laws ------------------------------------------------------------------------------


def check_inverse(
    forward: Bijection | Flow | Callable,
    inverse: Callable | None = None,
    z: Tensor | None = None,
    *,
    context: Tensor | None = None,
    tolerance: float | None = None,
) -> None:
    """The inverse undoes forward, forward undoes the inverse, and their log-dets cancel.

    Args:
        forward: a Bijection, a Flow, or a function z -> (x, log_det).
        inverse: the function x -> (z, log_det); not needed for a Bijection or Flow.
        z: points to try, (batch, *event); standard normal draws when the event shape is known.
        context: (batch, context) for conditional maps.
        tolerance: largest absolute error allowed, relative to 1 + |z|; by default 1e-4 in
            float32 and 1e-8 in float64.

    Raises:
        LawBroken: with the likely mistake.
    """
    law, subject = "check_inverse", forward
    forward, inverse, z = directions(forward, inverse, z)
    x, log_det = call(forward, z, context, "forward", law)
    z_again, log_det_inverse = call(inverse, x, context, "inverse", law)
    tolerance = tolerance or usual_tolerance(z)
    if not agree(z_again, z, tolerance):
        suspects = {
            "the inverse returns its input unchanged: it undoes nothing": x,
            "the inverse is the forward map again: it repeats the step instead of undoing it": quiet(
                forward, x, context
            ),
            "a sign is flipped in the inverse: it returns -z": -z,
            **chain_suspects(subject, z, x, context),
        }
        raise broken(
            law,
            f"inverse(forward(z)) is not z{largest_error(z_again, z, tolerance)}",
            diagnose(z_again, z, suspects, tolerance) or which_part(z_again, z, tolerance),
        )
    if not agree(log_det_inverse, -log_det, 10 * tolerance):
        row = first_wrong(log_det_inverse, -log_det, 10 * tolerance)
        suspects = {
            "both directions return the same number; the inverse's must be minus the forward's": log_det,
            "the inverse returns no log-determinant (zero)": torch.zeros_like(log_det),
        }
        raise broken(
            law,
            f"the log-determinants of the two directions do not cancel: {digits(log_det[row])} forward and "
            f"{digits(log_det_inverse[row])} back at the same point"
            f"{small_gap(log_det_inverse[row], -log_det[row])}",
            diagnose(log_det_inverse, -log_det, suspects, 10 * tolerance)
            or "check each direction by itself with check_log_det",
        )


def check_log_det(
    forward: Bijection | Flow | Callable,
    z: Tensor | None = None,
    *,
    context: Tensor | None = None,
    tolerance: float | None = None,
    direction: str = "forward",
    suspects: Mapping[str, Tensor] | None = None,
) -> None:
    """The log-determinant equals log|det J|, J the Jacobian of the map itself.

    The Jacobian comes from autograd in float64, or from central differences where autograd does
    not reach.

    Args:
        forward: a Bijection, a Flow, or a function point -> (value, log_det).
        z: points to try, (batch, *event).
        context: (batch, context) for conditional maps.
        tolerance: largest absolute error; by default 1e-8 with autograd, 1e-5 with differences.
        direction: "forward" or "inverse": which direction of a Bijection to check.
        suspects: mistake -> the log_det, (batch,), that it would give; looked at before the usual ones.

    Raises:
        LawBroken: with the likely mistake.
    """
    law = "check_log_det"
    map_, z, context = in_double(forward, z, context, direction)
    x, log_det = call(map_, z, context, direction, law)
    jacobian, exact = jacobian_of(map_, z, context)
    sign, true = torch.linalg.slogdet(jacobian)
    tolerance = tolerance or (1e-8 if exact and x.dtype == torch.float64 else 1e-5)
    if x.dtype != torch.float64:
        tolerance = max(tolerance, 1e-3)
    if bool((sign == 0).any()):
        raise broken(law, "the map is not invertible: its Jacobian has determinant 0 at a point tried", None)
    if agree(log_det, true, tolerance):
        return
    row = first_wrong(log_det, true, tolerance)
    suspects = {**(suspects or {}), **log_det_suspects(true, jacobian, z, x, map_, context)}
    if not agree(true, true[:1].expand_as(true), tolerance):
        one = "one and the same number for every point: the derivative must be taken at each of them"
        suspects[one] = log_det[:1].expand_as(log_det)
    raise broken(
        law,
        f"{direction} returns log_det = {digits(log_det[row])} at a point where log|det J| = "
        f"{digits(true[row])}{small_gap(log_det[row], true[row])}",
        diagnose(log_det, true, suspects, tolerance),
    )


def check_triangular(
    forward: Bijection | Flow | Callable,
    z: Tensor | None = None,
    *,
    context: Tensor | None = None,
    order: Sequence[int] | Tensor | None = None,
    strict: bool = False,
) -> None:
    """The output at place i depends on the inputs at places up to i only (before i with `strict`).

    Args:
        forward: a Bijection, or a function z -> (x, log_det) or z -> x, on vectors (batch, D).
        z: points to try, (batch, D).
        order: order[i] is the variable at place i, as in a layer's `order`; 0 ... D-1 by default.
        strict: forbid the diagonal too, as for the net inside an autoregressive layer: its
            output i must not see input i.

    Raises:
        LawBroken: naming an output and an input that it must not see.
    """
    map_, z, context = in_double(forward, z, context, "forward")
    jacobian, _ = jacobian_of(map_, z, context)
    size = jacobian.shape[-1]
    if jacobian.shape[-2] % size:
        raise broken(
            "check_triangular",
            f"{jacobian.shape[-2]} outputs for {size} inputs: expected one or more whole sets of {size}",
            None,
        )
    place = torch.arange(size) if order is None else torch.as_tensor(order).cpu().argsort()
    seen = (jacobian.abs() > 1e-9).any(0).view(-1, size, size).any(0).cpu()
    later = place[None, :] >= place[:, None] if strict else place[None, :] > place[:, None]
    wrong = seen & later
    if not bool(wrong.any()):
        return
    own = wrong.diagonal().any() and not bool((wrong & ~torch.eye(size, dtype=torch.bool)).any())
    output, input_ = wrong.nonzero()[0].tolist()
    guess = None
    if own:
        guess = "an output sees its own input: one mask lets equality through where it must be strict"
    elif bool((seen & (place[None, :] < place[:, None])).logical_not().all()):
        guess = "the order is reversed: the mask is transposed"
    elif bool(wrong.sum() == later.sum()):
        guess = "nothing is masked: every output sees every input"
    raise broken(
        "check_triangular", f"output {output} depends on input {input_}, which it must not see", guess
    )


def check_normalized(
    log_prob: Flow | Callable,
    low: float | Sequence[float] | None = None,
    high: float | Sequence[float] | None = None,
    *,
    dim: int | None = None,
    context: Tensor | None = None,
    points: int | None = None,
    tolerance: float = 5e-3,
    batch: int = 65536,
) -> None:
    """The density integrates to 1 over a box, by the midpoint rule in 1-D and 2-D.

    Args:
        log_prob: a Flow, or a function x -> log-density (batch,) in nats.
        low, high: the box, numbers or one per coordinate; -12 and 12 by default. It must hold
            nearly all of the mass and lie in the domain.
        dim: 0 for plain numbers (batch,), 1 for (batch, 1), 2 for (batch, 2); read from a Flow.
        context: one row (1, context) for conditional flows.
        points: grid points per axis.
        tolerance: how far from 1 the mass may be.

    Raises:
        LawBroken: with the mass found and the constant that explains it, if one does.
    """
    flow = log_prob if isinstance(log_prob, Flow) else None
    dim = _plane(flow, dim)
    grid, weights = _grid(dim, low, high, points)
    grid = grid.to(device=device_of(flow), dtype=torch.float64 if flow is None else dtype_of(flow))

    def mass_of(density: Callable) -> float:
        total = 0.0
        for part, weight in zip(grid.split(batch), weights.split(batch), strict=True):
            total += float((_density_at(part, density, context) * weight).sum())
        return total

    mass = mass_of(flow.log_prob if flow is not None else log_prob)
    if abs(mass - 1) <= tolerance:
        return
    guess = _lost_constant(mass, max(dim, 1), tolerance)
    suspects = {} if guess or flow is None else density_suspects(flow)
    for name, density in suspects.items():
        if abs(mass_of(density) - 1) <= tolerance:
            guess = name
            break
    if guess is None:
        guess = (
            "a sign or factor in the log-determinant: with too much mass, a loss can fall for ever"
            if mass > 1
            else "a sign or factor in the log-determinant, or the box is too small for the density"
        )
    raise broken("check_normalized", f"the density integrates to {mass:.4g}, not to 1", guess)


def _plane(flow: Flow | None, dim: int | None) -> int:
    """In how many dimensions to integrate: as the flow's events say, if it is not said."""
    if dim is None:
        dim = sum(flow.event_shape) if flow is not None else 0
    if dim not in (0, 1, 2) or (flow is not None and len(flow.event_shape) > 1):
        found = flow.event_shape if flow is not None else dim
        raise ValueError(f"check_normalized integrates in 1 or 2 dimensions, got {found}: use check_log_det")
    return dim


def _grid(
    dim: int,
    low: float | Sequence[float] | None,
    high: float | Sequence[float] | None,
    points: int | None,
) -> tuple[Tensor, Tensor]:
    """Points and weights of the midpoint rule, on a box from -12 to 12 if nothing else is said."""
    return midpoints(dim, -12.0 if low is None else low, 12.0 if high is None else high, points)


def _density_at(points: Tensor, log_prob: Callable, context: Tensor | None) -> Tensor:
    """The density at each point, (n,) in float64; the one row of context stands for all of them."""
    with torch.no_grad():
        values = log_prob(points) if context is None else log_prob(points, context.expand(len(points), -1))
    values = torch.as_tensor(values)
    if values.shape != (len(points),):
        raise broken(
            "check_normalized",
            f"log_prob returned shape {tuple(values.shape)}, expected ({len(points)},)",
            "the terms of one point were not summed, or were summed over the batch",
        )
    return values.double().cpu().exp()


def _lost_constant(mass: float, dim: int, tolerance: float) -> str | None:
    """The constant of the normal density that explains a mass other than 1, if one does."""
    suspects = {
        "the constant -(D/2) log 2 pi is missing from the base's log-density": (2 * math.pi) ** (dim / 2),
        "the constant -(D/2) log 2 pi is counted twice": (2 * math.pi) ** (-dim / 2),
        "the 1/2 in the exponent of the normal density is lost": 2 ** (-dim / 2),
    }
    return next((name for name, value in suspects.items() if abs(mass / value - 1) < 2 * tolerance), None)


def check_samples(
    sample: Flow | Callable,
    log_prob: Flow | Callable | None = None,
    *,
    n: int = 4000,
    low: float | Sequence[float] | None = None,
    high: float | Sequence[float] | None = None,
    context: Tensor | None = None,
    generator: torch.Generator | None = None,
    level: float = 1e-4,
) -> None:
    """Samples follow the density.

    For a Flow with a normal base, samples are carried back to the base, where every coordinate
    and the squared radius must follow their known laws (Kolmogorov-Smirnov tests). For plain
    functions in one dimension, the samples' distribution is held against the integrated density.

    Args:
        sample: a Flow, or a function n -> samples (n,).
        log_prob: the function x -> log-density, when `sample` is a function.
        n: how many samples.
        low, high: the interval that holds the mass, for plain functions; -12 and 12 by default.
        level: significance level of each test.

    Raises:
        LawBroken: with the likely mistake.
    """
    if isinstance(sample, Flow):
        return _check_flow_samples(sample, n, context, generator, level)
    if log_prob is None:
        raise TypeError("with a plain function, give both: check_samples(sample, log_prob)")
    grid, weights = _grid(0, low, high, None)
    density = torch.as_tensor(log_prob(grid)).detach().double().cpu().exp()
    cumulative = torch.cumsum(density * weights, 0)
    cumulative = cumulative / cumulative[-1]
    draws = np.asarray(torch.as_tensor(sample(n)).detach().double().cpu()).reshape(-1)
    if not np.isfinite(draws).all():
        raise broken("check_samples", "some samples are not finite", None)
    p_value = stats.kstest(draws, lambda v: np.interp(v, grid.numpy(), cumulative.numpy())).pvalue
    if p_value < level:
        mean = float((grid * density * weights).sum() / (density * weights).sum())
        spread = float((((grid - mean) ** 2) * density * weights).sum() / (density * weights).sum()) ** 0.5
        raise broken(
            "check_samples",
            f"samples have mean {draws.mean():.4g} and standard deviation {draws.std():.4g}; "
            f"the density has {mean:.4g} and {spread:.4g}",
            "noise was pushed through the normalising direction (x -> z) instead of the generating one"
            if draws.std() < 0.9 * spread or draws.std() > 1.1 * spread
            else "the sampler and the density use different maps",
        )


def _check_flow_samples(
    flow: Flow, n: int, context: Tensor | None, generator: torch.Generator | None, level: float
) -> None:
    flow = copy.deepcopy(flow).eval()
    generator = generator or torch.Generator().manual_seed(0)
    rows = None if context is None else context.expand(n, -1)
    x = flow.sample(n, context=rows, generator=generator)
    with torch.no_grad():
        worst = base_p_value(flow, flow.bijection.inverse(x, rows)[0])
        if worst >= level:
            return
        suspects = {k: v for k, v in sampler_suspects(flow, x, rows).items() if v is not None}
        guess = next((name for name, z in suspects.items() if base_p_value(flow, z) >= level), None)
    raise broken(
        "check_samples",
        f"samples carried back to the base do not follow it (p = {worst:.1e})",
        guess
        or "the sampler and the density use different maps: check the order and direction of the layers",
    )


def check_gradients(
    subject: Bijection | Flow,
    x: Tensor | None = None,
    *,
    context: Tensor | None = None,
    parameters: bool = True,
) -> None:
    """Likelihood reaches every parameter with a finite gradient, and the input too.

    Args:
        subject: a Flow or a Bijection.
        x: data (batch, *event); made by the model itself when not given.
        parameters: whether parameters that receive no gradient break the law.

    Raises:
        LawBroken: naming the parameters without a gradient, or with one that is not finite.
    """
    module = copy.deepcopy(subject).eval()
    flow = module if isinstance(module, Flow) else _on_normal_base(module, x)
    if x is None:
        rows = 16 if context is None else len(context)
        x = flow.sample(rows, context=context, generator=torch.Generator().manual_seed(0))
    x = x.detach().clone().requires_grad_()
    flow.zero_grad()
    loss = -flow.log_prob(x, context).mean()
    if not loss.requires_grad:
        raise broken(
            "check_gradients", "log_prob is cut off from its input", "a detach() or .data on the way"
        )
    loss.backward()
    if x.grad is None:
        raise broken(
            "check_gradients",
            "the loss has a gradient, but no gradient reaches x",
            "a state is detached on the way",
        )
    learned = {name: p.grad for name, p in flow.named_parameters() if p.requires_grad}
    _check_reached(learned, x.grad, parameters)


def _check_reached(learned: dict[str, Tensor | None], at_input: Tensor, parameters: bool) -> None:
    """The gradients of parameters, by name, and of the input are finite, and those of parameters there."""
    reached = {name: grad for name, grad in learned.items() if grad is not None}
    bad = [name for name, grad in reached.items() if not bool(torch.isfinite(grad).all())]
    if bad or not bool(torch.isfinite(at_input).all()):
        raise broken(
            "check_gradients", f"the gradient is not finite for: {', '.join(bad) or 'the input'}", None
        )
    silent = [name for name in learned if name not in reached]
    if parameters and silent:
        raise broken(
            "check_gradients",
            f"no gradient reaches {len(silent)} of {len(learned)} parameters, first {silent[0]}",
            "a state is detached on the way, or a layer is built and never used",
        )


def _on_normal_base(bijection: Bijection, x: Tensor | None) -> Flow:
    return Flow(bijection, StandardNormal(event_shape_of(bijection, x)).to(dtype_of(bijection)))


def check_dtype_device(
    subject: Bijection | Flow, x: Tensor | None = None, *, context: Tensor | None = None
) -> None:
    """Float32 stays float32, float64 stays float64, and everything stays on its device.

    Args:
        subject: a Bijection or a Flow.
        x: points (batch, *event) to start from.

    Raises:
        LawBroken: naming the direction, the expected and the returned type or device.
    """
    for dtype in (torch.float32, torch.float64):
        module = copy.deepcopy(subject).to(dtype)
        forward, inverse, points = directions(module, None, x)
        points = points.to(dtype)
        rows = None if context is None else context.to(dtype)
        with torch.no_grad():
            there, log_det = call(forward, points, rows, "forward", "check_dtype_device")
            back, log_det_back = call(inverse, there, rows, "inverse", "check_dtype_device")
        results = {
            "forward's value": there,
            "forward's log_det": log_det,
            "the inverse's value": back,
            "the inverse's log_det": log_det_back,
        }
        for name, result in results.items():
            if result.dtype != dtype or result.device != points.device:
                raise broken(
                    "check_dtype_device",
                    f"{name} is {result.dtype} on {result.device} for {dtype} input on {points.device}",
                    "a tensor is made with a default dtype or device inside: use like= or new_ functions",
                )


def check_bijection(
    forward: Bijection | Flow | Callable,
    inverse: Callable | None = None,
    z: Tensor | None = None,
    *,
    context: Tensor | None = None,
    tolerance: float | None = None,
) -> None:
    """All laws of a bijection: inverse, log-determinant both ways, and for a module gradients and dtypes.

    Arguments and errors as in `check_inverse`.
    """
    check_inverse(forward, inverse, z, context=context, tolerance=tolerance)
    check_log_det(forward, z, context=context, tolerance=tolerance)
    if isinstance(forward, Bijection):
        _, _, points = directions(forward, inverse, z)
        x = forward(points, context)[0].detach()
        check_log_det(forward, x, context=context, tolerance=tolerance, direction="inverse")
        check_gradients(forward, x, context=context, parameters=False)
        check_dtype_device(forward, z, context=context)
    else:
        forward, inverse, points = directions(forward, inverse, z)
        x = call(forward, points, context, "forward", "check_bijection")[0].detach()
        check_log_det(inverse, x, context=context, tolerance=tolerance)


def check_flow(
    flow: Flow,
    x: Tensor | None = None,
    *,
    context: Tensor | None = None,
    low: float | Sequence[float] | None = None,
    high: float | Sequence[float] | None = None,
    tolerance: float | None = None,
) -> None:
    """All laws of a flow: those of its bijection, the density's mass (1-D, 2-D) and its samples.

    Args:
        flow: the flow.
        x: data (batch, *event); by default the flow's own samples.
        context: (batch, context), one row for each of x.
        low, high: the box that holds the mass, for `check_normalized`.

    Raises:
        LawBroken: the first law that fails, with the likely mistake.
        TypeError, ValueError: x or context is not what the flow takes (see `Flow.check`).
    """
    if x is not None:
        flow.check(x, context)
    flow = copy.deepcopy(flow).eval()  # looking at a flow must not start its ActNorm layers
    batch = 16 if context is None else len(context)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        if x is None:
            z = flow.base.sample(batch, generator=generator)
        else:
            z = flow.bijection.inverse(x, context)[0]
    check_bijection(flow.bijection, z=z, context=context, tolerance=tolerance)
    check_gradients(flow, x, context=context)
    one = None if context is None else context[:1]
    if len(flow.event_shape) <= 1 and sum(flow.event_shape) <= 2:
        check_normalized(flow, low, high, context=one)
    check_samples(flow, context=one)


__getattr__ = moved.names(__name__)
