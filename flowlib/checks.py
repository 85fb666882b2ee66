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
import functools
import hmac
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from flowlib import derivatives, lookups, sources
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain
from flowlib.flow import Flow
from flowlib.sources import Reading
from flowlib.suspects import LawBroken, log_det_mistakes, same
from flowlib.suspects import check_value as check_value
from flowlib.suspects import log_prob_mistakes as log_prob_mistakes

__all__ = [
    "check_bijection", "check_dtype_device", "check_flow", "check_gradients", "check_inverse",
    "check_log_det", "check_normalized", "check_samples", "check_source", "check_triangular",
    "check_unchanged", "hidden_seed", "hidden_seeds", "submitted_sources",
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
    forward, inverse, z = _directions(forward, inverse, z)
    x, log_det = _call(forward, z, context, "forward", law)
    z_again, log_det_inverse = _call(inverse, x, context, "inverse", law)
    tolerance = tolerance or _tolerance(z)
    if not _close(z_again, z, tolerance):
        suspects = {
            "the inverse returns its input unchanged: it undoes nothing": x,
            "the inverse is the forward map again: it repeats the step instead of undoing it": _quiet(
                forward, x, context
            ),
            "a sign is flipped in the inverse: it returns -z": -z,
            **_chain_suspects(subject, z, x, context),
        }
        raise _broken(
            law,
            f"inverse(forward(z)) is not z{_where(z_again, z, tolerance)}",
            _diagnose(z_again, z, suspects, tolerance) or _partial(z_again, z, tolerance),
        )
    if not _close(log_det_inverse, -log_det, 10 * tolerance):
        row = _first_wrong(log_det_inverse, -log_det, 10 * tolerance)
        suspects = {
            "both directions return the same number; the inverse's must be minus the forward's": log_det,
            "the inverse returns no log-determinant (zero)": torch.zeros_like(log_det),
        }
        raise _broken(
            law,
            f"the log-determinants of the two directions do not cancel: {_digits(log_det[row])} forward and "
            f"{_digits(log_det_inverse[row])} back at the same point"
            f"{_small_gap(log_det_inverse[row], -log_det[row])}",
            _diagnose(log_det_inverse, -log_det, suspects, 10 * tolerance)
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
    map_, z, context = _in_double(forward, z, context, direction)
    x, log_det = _call(map_, z, context, direction, law)
    jacobian, exact = _jacobian(map_, z, context)
    sign, true = torch.linalg.slogdet(jacobian)
    tolerance = tolerance or (1e-8 if exact and x.dtype == torch.float64 else 1e-5)
    if x.dtype != torch.float64:
        tolerance = max(tolerance, 1e-3)
    if bool((sign == 0).any()):
        raise _broken(law, "the map is not invertible: its Jacobian has determinant 0 at a point tried", None)
    if _close(log_det, true, tolerance):
        return
    row = _first_wrong(log_det, true, tolerance)
    suspects = {**(suspects or {}), **_log_det_suspects(true, jacobian, z, x, map_, context)}
    if not _close(true, true[:1].expand_as(true), tolerance):
        one = "one and the same number for every point: the derivative must be taken at each of them"
        suspects[one] = log_det[:1].expand_as(log_det)
    raise _broken(
        law,
        f"{direction} returns log_det = {_digits(log_det[row])} at a point where log|det J| = "
        f"{_digits(true[row])}{_small_gap(log_det[row], true[row])}",
        _diagnose(log_det, true, suspects, tolerance),
    )


def check_triangular(
    forward: Bijection | Flow | Callable,
    z: Tensor | None = None,
    *,
    context: Tensor | None = None,
    order: Sequence[int] | None = None,
    strict: bool = False,
) -> None:
    """Output i depends on inputs up to i only (strictly before i with `strict`).

    Args:
        forward: a Bijection, or a function z -> (x, log_det) or z -> x, on vectors (batch, D).
        z: points to try, (batch, D).
        order: position of each variable in the ordering; 0 ... D-1 by default.
        strict: forbid the diagonal too, as for the net inside an autoregressive layer: its
            output i must not see input i.

    Raises:
        LawBroken: naming an output and an input that it must not see.
    """
    map_, z, context = _in_double(forward, z, context, "forward")
    jacobian, _ = _jacobian(map_, z, context)
    size = jacobian.shape[-1]
    if jacobian.shape[-2] % size:
        raise _broken(
            "check_triangular",
            f"{jacobian.shape[-2]} outputs for {size} inputs: expected one or more whole sets of {size}",
            None,
        )
    place = torch.arange(size) if order is None else torch.as_tensor(order).cpu()
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
    raise _broken(
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
    function = flow.log_prob if flow is not None else log_prob
    if dim is None:
        dim = sum(flow.event_shape) if flow is not None else 0
    if dim not in (0, 1, 2) or (flow is not None and len(flow.event_shape) > 1):
        found = flow.event_shape if flow is not None else dim
        raise ValueError(f"check_normalized integrates in 1 or 2 dimensions, got {found}: use check_log_det")
    grid, weights = _grid(dim, -12.0 if low is None else low, 12.0 if high is None else high, points)
    dtype = _dtype_of(flow) if flow is not None else torch.float64
    grid = grid.to(device=_device_of(flow), dtype=dtype)

    def mass_of(density: Callable) -> float:
        total = 0.0
        for part, weight in zip(grid.split(batch), weights.split(batch), strict=True):
            rows = None if context is None else context.expand(len(part), -1)
            with torch.no_grad():
                values = torch.as_tensor(density(part, rows) if rows is not None else density(part))
            if values.shape != (len(part),):
                raise _broken(
                    "check_normalized",
                    f"log_prob returned shape {tuple(values.shape)}, expected ({len(part)},)",
                    "the terms of one point were not summed, or were summed over the batch",
                )
            total += float((values.double().cpu().exp() * weight).sum())
        return total

    mass = mass_of(function)
    if abs(mass - 1) <= tolerance:
        return
    size = max(dim, 1)
    suspects = {
        "the constant -(D/2) log 2 pi is missing from the base's log-density": (2 * math.pi) ** (size / 2),
        "the constant -(D/2) log 2 pi is counted twice": (2 * math.pi) ** (-size / 2),
        "the 1/2 in the exponent of the normal density is lost": 2 ** (-size / 2),
    }
    guess = next((name for name, value in suspects.items() if abs(mass / value - 1) < 2 * tolerance), None)
    if guess is None and flow is not None:
        for name, density in _density_suspects(flow).items():
            if abs(mass_of(density) - 1) <= tolerance:
                guess = name
                break
    if guess is None:
        guess = (
            "a sign or factor in the log-determinant: with too much mass, a loss can fall for ever"
            if mass > 1
            else "a sign or factor in the log-determinant, or the box is too small for the density"
        )
    raise _broken("check_normalized", f"the density integrates to {mass:.4g}, not to 1", guess)


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
        flow = copy.deepcopy(sample).eval()
        generator = generator or torch.Generator().manual_seed(0)
        rows = None if context is None else context.expand(n, -1)
        x = flow.sample(n, context=rows, generator=generator)
        with torch.no_grad():
            z = flow.bijection.inverse(x, rows)[0]
            worst = _base_p_value(flow, z)
            if worst >= level:
                return
            guess = None
            candidates = _sampler_suspects(flow, x, rows)
            for name, candidate in candidates.items():
                if candidate is not None and _base_p_value(flow, candidate) >= level:
                    guess = name
                    break
        raise _broken(
            "check_samples",
            f"samples carried back to the base do not follow it (p = {worst:.1e})",
            guess
            or "the sampler and the density use different maps: check the order and direction of the layers",
        )
    if log_prob is None:
        raise TypeError("with a plain function, give both: check_samples(sample, log_prob)")
    grid, weights = _grid(0, -12.0 if low is None else low, 12.0 if high is None else high, None)
    density = torch.as_tensor(log_prob(grid)).detach().double().cpu().exp()
    cumulative = torch.cumsum(density * weights, 0)
    cumulative = cumulative / cumulative[-1]
    draws = np.asarray(torch.as_tensor(sample(n)).detach().double().cpu()).reshape(-1)
    if not np.isfinite(draws).all():
        raise _broken("check_samples", "some samples are not finite", None)
    p_value = stats.kstest(draws, lambda v: np.interp(v, grid.numpy(), cumulative.numpy())).pvalue
    if p_value < level:
        mean = float((grid * density * weights).sum() / (density * weights).sum())
        spread = float((((grid - mean) ** 2) * density * weights).sum() / (density * weights).sum()) ** 0.5
        raise _broken(
            "check_samples",
            f"samples have mean {draws.mean():.4g} and standard deviation {draws.std():.4g}; "
            f"the density has {mean:.4g} and {spread:.4g}",
            "noise was pushed through the normalising direction (x -> z) instead of the generating one"
            if draws.std() < 0.9 * spread or draws.std() > 1.1 * spread
            else "the sampler and the density use different maps",
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
    if isinstance(module, Flow):
        flow = module
    else:
        flow = Flow(module, StandardNormal(_event_shape(subject, x)).to(_dtype_of(module)))
    if x is None:
        rows = 16 if context is None else len(context)
        x = flow.sample(rows, context=context, generator=torch.Generator().manual_seed(0))
    x = x.detach().clone().requires_grad_()
    flow.zero_grad()
    loss = -flow.log_prob(x, context).mean()
    if not loss.requires_grad:
        raise _broken(
            "check_gradients", "log_prob is cut off from its input", "a detach() or .data on the way"
        )
    loss.backward()
    if x.grad is None:
        raise _broken(
            "check_gradients",
            "the loss has a gradient, but no gradient reaches x",
            "a state is detached on the way",
        )
    learned = {name: p for name, p in flow.named_parameters() if p.requires_grad}
    bad = [
        name for name, p in learned.items() if p.grad is not None and not bool(torch.isfinite(p.grad).all())
    ]
    if bad or not bool(torch.isfinite(x.grad).all()):
        raise _broken(
            "check_gradients", f"the gradient is not finite for: {', '.join(bad) or 'the input'}", None
        )
    silent = [name for name, p in learned.items() if p.grad is None]
    if parameters and silent:
        raise _broken(
            "check_gradients",
            f"no gradient reaches {len(silent)} of {len(learned)} parameters, first {silent[0]}",
            "a state is detached on the way, or a layer is built and never used",
        )


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
        forward, inverse, points = _directions(module, None, x)
        points = points.to(dtype)
        rows = None if context is None else context.to(dtype)
        with torch.no_grad():
            there, log_det = _call(forward, points, rows, "forward", "check_dtype_device")
            back, log_det_back = _call(inverse, there, rows, "inverse", "check_dtype_device")
        results = {
            "forward's value": there,
            "forward's log_det": log_det,
            "the inverse's value": back,
            "the inverse's log_det": log_det_back,
        }
        for name, result in results.items():
            if result.dtype != dtype or result.device != points.device:
                raise _broken(
                    "check_dtype_device",
                    f"{name} is {result.dtype} on {result.device} for {dtype} input on {points.device}",
                    "a tensor is made with a default dtype or device inside: use like= or new_ functions",
                )


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
        raise _broken("check_unchanged", f"{fact}: work on a copy, as `z.clone()` makes one", None)


def check_differentiable(function: Callable, *arguments: Any, by: Iterable[int], tolerance=1e-4) -> None:
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
            raise _broken("check_differentiable", f"no gradient reaches {argument}", guess)
        fact = f"the gradient by {argument} is {slope:.4g}, and {true:.4g} by difference quotients"
        raise _broken(
            "check_differentiable", fact, "a part of the way is cut off, as detach() in a loop does"
        )


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
            raise _broken("check_learns", fact, "a part of the way is cut off, as detach() does")
        raise _broken(
            "check_learns",
            f"a step of gradient descent on {method} leaves {name} where it was",
            "an optimizer made before the first batch holds other parameters than these, or they are detached"
            if reached
            else "no gradient reaches it: detach, no_grad, or a tensor that is no trainable parameter",
        )
    if not any(bool(slope.any()) for slope in slopes.values()):
        raise _broken("check_learns", f"{method} depends on nothing that state_dict holds", None)


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
        _, _, points = _directions(forward, inverse, z)
        x = forward(points, context)[0].detach()
        check_log_det(forward, x, context=context, tolerance=tolerance, direction="inverse")
        check_gradients(forward, x, context=context, parameters=False)
        check_dtype_device(forward, z, context=context)
    else:
        forward, inverse, points = _directions(forward, inverse, z)
        x = _call(forward, points, context, "forward", "check_bijection")[0].detach()
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
    """
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


# --- what a student may use ----------------------------------------------------------------

_secret: str | None = None


@contextmanager
def hidden_seeds(secret: str) -> Iterator[None]:
    """Let `hidden_seed` draw from a secret inside the block."""
    global _secret
    before, _secret = _secret, secret
    try:
        yield
    finally:
        _secret = before


def hidden_seed(number: int) -> int:
    """The seed of what a hidden test draws.

    In a notebook it is `number` itself. At grading it is derived from `number` and the secret key of the
    class, so that nobody can know beforehand on which numbers an answer will be tried.
    """
    if _secret is None:
        return number
    return int.from_bytes(hmac.digest(_secret.encode(), str(number).encode(), "sha256")[:4], "big") >> 1


_submission: tuple[Reading, list[str]] | None = None


@contextmanager
def submitted_sources(cells: Mapping[str, str], released: Iterable[str] = ()) -> Iterator[list[str]]:
    """Let `check_source` read these cells inside the block, instead of the notebook's history.

    Args:
        cells: all code that was handed in: name of a cell (of its task, for a task's cell) -> source.
        released: the code cells of the exercise as it was handed out.

    Yields:
        a list that `check_source` fills with what a person should look at.
    """
    global _submission
    before, _submission = _submission, (_read(tuple(cells.items()), tuple(released)), [])
    try:
        yield _submission[1]
    finally:
        _submission = before


@functools.lru_cache(maxsize=4)  # the tests of a submission ask for the same cells one after the other
def _read(cells: tuple[tuple[str, str], ...], released: tuple[str, ...]) -> Reading:
    return Reading(dict(cells), released)


def check_source(
    *names: str,
    forbids: Iterable[str] = (),
    allows: Iterable[str] = (),
    requires: Iterable[str] = (),
    keeps: Iterable[str] = (),
) -> None:
    """The definitions of these names use nothing that the task forbids, and one of the things it asks for.

    Args:
        names: functions, classes or variables that the task asks for.
        forbids: what may not be used: "flowlib" (all of it but checks, data and plots), a module, class
            or function by its path ("flowlib.planar", "torch.linalg.inv", "Tensor.backward"), "*.det" (of
            any library, or a tensor's method), "@", a name that the exercise gives, or a group of
            `flowlib.sources.GROUPS`.
        allows: functions of a group that may be used nevertheless, as "solve_triangular".
        requires: things of which one must be used.
        keeps: given functions that must stay as they are.

    Raises:
        LawBroken: naming what was used, and the line. In a notebook, silent where no definition is found.
    """
    reading, doubts = _submission or (_history(names), [])
    if reading is None:
        return
    uses, forbidden = reading.uses(names), sources.expand(forbids, list(allows))
    for name in names:
        if not reading.binds(name):
            write = f"write `def {name}(...)`, or a class or variable of that name, in the cell of this task"
            raise _broken(
                "check_source", f"no cell of yours defines {name} where it can be read: {write}", None
            )
    for use in uses:
        entry = next((entry for entry in forbidden if use.matches(entry)), None)
        if entry and use.unsure:
            doubts.append(f"{use.shown} may be {entry}, which the task forbids: `{use.line}`")
        elif entry:
            fact = f"your code uses {use.shown}, which this task does not allow: `{use.line}`"
            raise _broken("check_source", fact, None)
    for name in keeps:
        if _submission and not reading.kept(name):
            raise _broken(
                "check_source", f"the given function {name} has been changed: leave it as it is", None
            )
    if forbidden:
        doubts += lookups.doubts(reading, names)
    wanted = list(requires)
    if wanted and not any(use.matches(entry) for use in uses for entry in wanted):
        asked = " or ".join(entry.rpartition(".")[2] for entry in wanted)
        raise _broken("check_source", f"{names[0]} does not use {asked}, which this task asks for", None)


def _history(names: Iterable[str]) -> Reading | None:
    """In a notebook: its newest cells that define the names; the others tell what imported names mean."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    cells = [] if shell is None else [str(cell) for cell in shell.user_ns.get("In", [])]
    cells = [cell for cell in cells if "check_source(" not in cell]
    newest = {}
    for name in names:
        defining = [number for number, cell in enumerate(cells) if Reading({"": cell}).binds(name)]
        if not defining:
            return None
        newest[f"In[{defining[-1]}]"] = cells[defining[-1]]
    return Reading(newest, [cell for cell in cells if cell not in newest.values()])


# --- suspects ------------------------------------------------------------------------------


def _log_det_suspects(
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
        at_value = _quiet(lambda point, rows=None: _jacobian(map_, point, rows)[:1], x.to(z.dtype), context)
        if at_value is not None:
            elsewhere = torch.linalg.slogdet(at_value)[1]
            suspects["the derivative is taken at the output x instead of the input z"] = elsewhere
            suspects["the derivative is taken at the output, and the sign is flipped"] = -elsewhere
    return suspects


def _chain_suspects(subject: Any, z: Tensor, x: Tensor, context: Tensor | None) -> dict[str, Tensor | None]:
    """For a stack of layers: inverted in the wrong order, or only in part."""
    bijection = subject.bijection if isinstance(subject, Flow) else subject
    if not isinstance(bijection, Chain) or len(bijection) < 2:
        return {}

    return {
        "the layers are inverted in the wrong order: the last must come first": _quiet(
            lambda p, r=None: _inverses_in_forward_order(bijection, p, r), x, context
        ),
        "only the first layer is inverted": _quiet(
            lambda p, r=None: bijection[0].inverse(p, r)[0], x, context
        ),
        "only the last layer is inverted": _quiet(
            lambda p, r=None: bijection[-1].inverse(p, r)[0], x, context
        ),
    }


def _inverses_in_forward_order(layers: Iterable[Bijection], point: Tensor, context: Tensor | None) -> Tensor:
    for layer in layers:
        point = layer.inverse(point, context)[0]
    return point


def _density_suspects(flow: Flow) -> dict[str, Callable]:
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


def _sampler_suspects(flow: Flow, x: Tensor, rows: Tensor | None) -> dict[str, Tensor | None]:
    """Where samples would come from the base, had the sampler made a usual mistake."""
    suspects = {
        "noise was pushed through the normalising direction (x -> z) instead of the generating one": _quiet(
            lambda p, r=None: flow.bijection(p, r)[0], x, rows
        ),
        "the noise was returned as it is": x,
    }
    if isinstance(flow.bijection, Chain) and len(flow.bijection) > 1:
        layers = list(flow.bijection)
        suspects["only the first layer of the stack is used"] = _quiet(
            lambda p, r=None: layers[0].inverse(p, r)[0], x, rows
        )
        suspects["only the last layer of the stack is used"] = _quiet(
            lambda p, r=None: layers[-1].inverse(p, r)[0], x, rows
        )

        suspects["the layers are applied in the wrong order"] = _quiet(
            lambda point, r=None: _inverses_in_forward_order(layers, point, r), x, rows
        )
    return suspects


def _diagnose(
    value: Tensor, truth: Tensor, suspects: Mapping[str, Tensor | None], tolerance: float
) -> str | None:
    """The first suspect that explains the value at every point, to the three digits a verdict needs."""
    tolerance = max(tolerance, 1e-3)
    if _close(value, truth, tolerance):
        return "nearly right: a solver's tolerance, a step too few, or float32 somewhere inside"
    for name, suspect in suspects.items():
        if (
            suspect is not None
            and suspect.shape == value.shape
            and _close(value, suspect, tolerance, nan=True)
        ):
            return name
    return None


def _partial(value: Tensor, truth: Tensor, tolerance: float) -> str | None:
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


# --- small tools ---------------------------------------------------------------------------


def _name(function: Callable) -> str:
    return getattr(function, "__name__", "the function")


def _broken(law: str, fact: str, guess: str | None) -> LawBroken:
    return LawBroken(f"{law}: {fact}." + (f" Likely mistake: {guess}." if guess else ""))


def _directions(
    forward: Bijection | Flow | Callable, inverse: Callable | None, z: Tensor | None
) -> tuple[Callable, Callable, Tensor]:
    """The two maps as functions, and the points to try."""
    module = forward.bijection if isinstance(forward, Flow) else forward
    points = z if z is not None else _points(forward)
    if isinstance(module, Bijection):
        # A copy in evaluation mode: looking at a layer must not start its ActNorm.
        module = copy.deepcopy(module).eval()
        return module, module.inverse, points
    if inverse is None:
        raise TypeError("with plain functions, give both: check(forward, inverse, z)")
    return forward, inverse, points


def _in_double(
    subject: Any, z: Tensor | None, context: Tensor | None, direction: str
) -> tuple[Callable, Tensor, Tensor | None]:
    """One direction as a function in float64, with its points and context.

    Modules are copied and converted. A plain function that holds float32 tensors and refuses
    float64 input is given the points as they came.
    """
    if direction not in ("forward", "inverse"):
        raise ValueError(f'direction must be "forward" or "inverse", got {direction!r}')
    points = z if z is not None else _points(subject)
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
        except RuntimeError:
            return map_, points, context
    return map_, *wide


def _points(subject: Any) -> Tensor:
    """Standard normal points of the subject's event shape, the same every time."""
    shape = _event_shape(subject, None)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, *shape, generator=generator).to(
        dtype=_dtype_of(subject), device=_device_of(subject)
    )


def _event_shape(subject: Any, x: Tensor | None) -> tuple[int, ...]:
    if x is not None:
        return tuple(x.shape[1:])
    shape = getattr(subject, "event_shape", None)
    if shape is None and isinstance(subject, Chain):
        shapes = [s for layer in subject.layers if (s := getattr(layer, "event_shape", None)) is not None]
        shape = shapes[0] if shapes else None
    if shape is None:
        raise TypeError("give points to try: z, a tensor of shape (batch, *event)")
    return tuple(shape)


def _dtype_of(subject: Any) -> torch.dtype:
    if isinstance(subject, nn.Module):
        for tensor in (*subject.parameters(), *subject.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
    return torch.get_default_dtype()


def _device_of(subject: Any) -> torch.device:
    if isinstance(subject, nn.Module):
        for tensor in (*subject.parameters(), *subject.buffers()):
            return tensor.device
    return torch.device("cpu")


def _call(
    function: Callable, point: Tensor, context: Tensor | None, name: str, law: str
) -> tuple[Tensor, Tensor]:
    """Call one direction and hold what it returns against the contract."""
    result = function(point) if context is None else function(point, context)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        kind = f"{len(result)} things" if isinstance(result, (tuple, list)) else type(result).__name__
        raise _broken(
            law, f"{name} must return two tensors, a value and its log_det; it returned {kind}", None
        )
    value, log_det = (torch.as_tensor(part) for part in result)
    if value.shape != point.shape:
        raise _broken(
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
        raise _broken(law, f"{name}'s log_det has shape {tuple(log_det.shape)}, expected ({batch},)", guess)
    if not bool(torch.isfinite(value).all()):
        raise _broken(law, f"{name} returns values that are not finite", None)
    return value, log_det


def _quiet(function: Callable, point: Tensor, context: Tensor | None) -> Tensor | None:
    """The value of a suspect, or None where it cannot be computed."""
    try:
        with torch.enable_grad():
            result = function(point) if context is None else function(point, context)
    except Exception:
        return None
    value = result[0] if isinstance(result, (tuple, list)) else result
    return torch.as_tensor(value).detach()


def _jacobian(map_: Callable, z: Tensor, context: Tensor | None) -> tuple[Tensor, bool]:
    """dx/dz at each point, (batch, outputs, inputs), and whether autograd gave it."""

    def value(points: Tensor) -> Tensor:
        result = map_(points) if context is None else map_(points, context)
        output = torch.as_tensor(result[0] if isinstance(result, (tuple, list)) else result)
        return output.reshape(len(points), -1)

    points = z.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = value(points)
        if outputs.requires_grad:
            gradients = [
                torch.autograd.grad(column.sum(), points, retain_graph=True, allow_unused=True)[0]
                for column in outputs.unbind(1)
            ]
            if any(gradient is not None for gradient in gradients):
                rows = [torch.zeros_like(points) if g is None else g for g in gradients]
                return torch.stack([row.reshape(len(points), -1) for row in rows], 1).detach(), True
    return _difference_jacobian(value, z.detach()), False


def _difference_jacobian(map_: Callable, z: Tensor, step: float = 6e-6) -> Tensor:
    """Central differences in float64; the error is about 1e-10 for functions of order 1."""
    rows = []
    with torch.no_grad():
        for i in range(z[0].numel()):
            offset = torch.zeros_like(z[0]).flatten()
            offset[i] = step
            offset = offset.view_as(z[0])
            rows.append((map_(z + offset) - map_(z - offset)).double() / (2 * step))
    return torch.stack(rows, -1)


def _side(bound: float | Sequence[float], axis: int) -> float:
    """A box's bound along one axis: one number for all axes, or one for each."""
    return float(bound[axis]) if isinstance(bound, Sequence | Tensor | np.ndarray) else float(bound)


def _grid(
    dim: int, low: float | Sequence[float], high: float | Sequence[float], points: int | None
) -> tuple[Tensor, Tensor]:
    """Centres of the cells of a box, and their sizes: the midpoint rule.

    Jumps of a density (leaky ReLU) mostly lie on 0, a border between cells: they cost no accuracy.
    """
    axes, size = [], 1.0
    for axis in range(max(dim, 1)):
        start, end = _side(low, axis), _side(high, axis)
        count = points or (20000 if dim < 2 else 600)
        width = (end - start) / count
        axes.append(start + width * (torch.arange(count, dtype=torch.float64) + 0.5))
        size *= width
    nodes = axes[0] if dim == 0 else torch.cartesian_prod(*axes).view(-1, dim)
    return nodes, torch.full((len(nodes),), size, dtype=torch.float64)


def _base_p_value(flow: Flow, z: Tensor) -> float:
    """The smallest p-value of the base's coordinates, with a Bonferroni correction."""
    values = z.detach().double().cpu().flatten(1) if z.dim() > 1 else z.detach().double().cpu()[:, None]
    if not bool(torch.isfinite(values).all()):
        return 0.0
    if isinstance(flow.base, StandardNormal):
        tests = [stats.kstest(column.numpy(), "norm").pvalue for column in values.T]
        tests.append(stats.kstest((values**2).sum(1).numpy(), "chi2", args=(values.shape[1],)).pvalue)
    else:
        generator = torch.Generator().manual_seed(1)
        fresh = flow.base.sample(len(z), generator=generator).double().cpu().reshape(len(z), -1)
        tests = [stats.ks_2samp(a.numpy(), b.numpy()).pvalue for a, b in zip(values.T, fresh.T, strict=True)]
    return float(min(tests)) * len(tests)


def _tolerance(z: Tensor) -> float:
    return 1e-8 if z.dtype == torch.float64 else 1e-4


def _close(value: Tensor, truth: Tensor, tolerance: float, nan: bool = False) -> bool:
    value, truth = value.detach().double(), truth.detach().double()
    return torch.allclose(value, truth, rtol=tolerance, atol=tolerance, equal_nan=nan)


def _where(value: Tensor, truth: Tensor, tolerance: float) -> str:
    error = (value.detach() - truth.detach()).abs().double()
    return f": the largest error is {error.max().item():.3g}, allowed is {tolerance:g}"


def _first_wrong(value: Tensor, truth: Tensor, tolerance: float) -> int:
    """The first point at which the two differ."""
    right = torch.isclose(value.detach().double(), truth.detach().double(), rtol=tolerance, atol=tolerance)
    return int(right.logical_not().int().argmax())


def _small_gap(found: Tensor, expected: Tensor) -> str:
    """How far two numbers are apart that look alike."""
    alike = _digits(found) == _digits(expected)
    return f" (off by {(found - expected).item():.1e})" if alike else ""


def _digits(number: Tensor) -> str:
    return f"{number.item():+.4g}"
