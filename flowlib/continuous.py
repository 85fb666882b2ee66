"""Continuous flows: z moves along a velocity field, an ordinary differential equation carries the density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import (
    Bijection,
    as_sizes,
    check_context,
    draw_normal,
    draw_signs,
    no_log_det,
    sum_event,
)
from flowlib.gradients import refuse_again
from flowlib.nets import Widths, zero_initialised
from flowlib.recording import transformed
from flowlib.saving import Built

__all__ = ["ACTIVATIONS", "ADAPTIVE", "FIXED_GRID", "Continuous", "VelocityMLP", "jacobian_trace"]

# Explicit Runge-Kutta rules in which each stage starts from the stage before: (nodes, weights).
FIXED_GRID = {
    "euler": ((0.0,), (1.0,)),
    "midpoint": ((0.0, 1 / 2), (0.0, 1.0)),
    "rk4": ((0.0, 1 / 2, 1 / 2, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adaptive_heun", "fehlberg2")
# A smooth function, and its derivative given input and output.
ACTIVATIONS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "tanh": (torch.tanh, lambda a, h: 1 - h * h),
    "softplus": (F.softplus, lambda a, h: torch.sigmoid(a)),
}
ONCE = (
    "a gradient by the adjoint (adjoint=True) cannot be differentiated again: "
    "use adjoint=False for second derivatives"
)
Rates = Callable[[float | Tensor, Tensor], Sequence[Tensor]]  # t, z -> v and the rates of what is added up
Norm = Callable[[Sequence[Tensor]], Tensor]  # of the errors of a point and of totals


class VelocityMLP(Built, nn.Module):
    """v(t, z), a smooth MLP of time, place and context that also knows the trace of its Jacobian.

    The trace is found going forward: tangent vectors run through the layers beside the values, each
    multiplied by the weights and by the slope of the activation. D unit vectors give the exact
    trace, one random vector gives Hutchinson's estimate. No second backward pass is needed, which
    makes this several times faster than differentiating the net.

    Args:
        dim: D; z and v have shape (batch, D), t is a number.
        hidden: widths of the hidden layers, at least one.
        context: size of the context, or 0.
        activation: "tanh" or "softplus". A ReLU has kinks: a solver cannot keep its order across them.

    Example:
        >>> v, trace = VelocityMLP(2).with_trace(0.5, torch.randn(5, 2))
        >>> v.shape, trace.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(self, dim: int, hidden: Widths = (64, 64), *, context: int = 0, activation: str = "tanh"):
        super().__init__()
        hidden = as_sizes(hidden)
        if dim < 1 or not hidden or min(hidden) < 1:
            raise ValueError(f"VelocityMLP needs dim >= 1 and hidden widths >= 1, got {dim} and {hidden}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}")
        self.dim, self.context, self.activation = dim, context, activation
        widths = (dim, *hidden, dim)
        self.layers = nn.ModuleList(nn.Linear(width, following) for width, following in pairwise(widths))
        zero_initialised(self.layers[-1])
        self.time = nn.Parameter(torch.randn(hidden[0]) / dim**0.5)
        self.condition = nn.Linear(context, hidden[0], bias=False) if context else None

    def forward(self, t: float | Tensor, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity, (batch, D)."""
        return self._run(t, z, context)[0]

    def with_trace(
        self, t: float | Tensor, z: Tensor, context: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The velocity, (batch, D), and tr dv/dz, (batch,): exact, or noise^T (dv/dz) noise."""
        v, slopes = self._run(t, z, context)
        if noise is None and len(slopes) == 2:
            return v, self._trace_of_two(*slopes)
        tangents = torch.eye(self.dim, dtype=z.dtype, device=z.device) if noise is None else noise[:, None]
        start = tangents
        *inner, last = self.linears()
        for layer, slope in zip(inner, slopes, strict=True):
            tangents = F.linear(tangents, layer.weight) * slope[:, None]
        tangents = F.linear(tangents, last.weight)
        return v, sum_event(start * tangents)

    def _run(self, t: float | Tensor, z: Tensor, context: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        check_context(context, self.context, len(z), self)
        function, derivative = ACTIVATIONS[self.activation]
        first, *following = self.linears()
        a = F.linear(z, first.weight, first.bias + t * self.time)
        if self.condition is not None:
            a = a + self.condition(context)
        slopes = []
        for layer in following:
            h = function(a)
            slopes.append(derivative(a, h))
            a = layer(h)
        return a, slopes

    def _trace_of_two(self, slope1: Tensor, slope2: Tensor) -> Tensor:
        """tr(W3 diag(slope2) W2 diag(slope1) W1) = slope2^T (W2 * (W1 W3)^T) slope1, at no cost in D."""
        w1, w2, w3 = (layer.weight for layer in self.linears())
        return sum_event(F.linear(slope1, w2 * (w1 @ w3).T) * slope2)

    def linears(self) -> list[nn.Linear]:
        """The layers, from the inputs on."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def jacobian_trace(
    net: Callable, t: float | Tensor, z: Tensor, context: Tensor | None, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """v and tr dv/dz for any net(t, z, context): by D products, or noise^T (dv/dz) noise by one.

    Shapes: z and v (batch, *event), the trace (batch,).
    """
    v, product, *_ = torch.func.vjp(lambda place: net(t, place, context), z)
    if noise is not None:
        return v, sum_event(product(noise.to(v.dtype))[0] * noise)
    size = z[0].numel()
    units = torch.eye(size, dtype=z.dtype, device=z.device).view(size, 1, *z.shape[1:])
    units = units.expand(size, *z.shape)
    (rows,) = torch.func.vmap(product)(units.to(v.dtype))
    return v, sum_event((units * rows).sum(0))


class Continuous(Bijection):
    """x = z(1), where z(0) = z and dz/dt = v(t, z): every point is carried along by a velocity field.

    The density follows the instantaneous change of variables,

        log|det dx/dz| = integral over t from 0 to 1 of tr dv/dz (t, z(t)) dt,

    and the inverse integrates from 1 to 0. Any velocity that is Lipschitz in z will do.

    With a fixed grid, both directions are accurate to the order of the method rather than to the
    last digit: halve the step and compare, or use an adaptive method, to know how far. The fixed grid
    runs here, without asking a GPU for a single value; adaptive methods run in torchdiffeq.

    An adaptive method takes the same steps for all rows of a batch. Here the error of a step is that of its
    worst row (the RMS over a row's numbers), so that each row keeps the tolerance whatever rows are beside
    it; what it gains beside a harder row is accuracy beyond that. An RMS over the whole batch, torchdiffeq's
    own, lets many easy rows hide a hard one: in a trial with 300 rows at 1e-3 the worst log-determinant was
    off by 0.20 nats with it and by 0.02 here. The price was 86 evaluations in place of 56.

    Source: Chen et al., 2018, "Neural Ordinary Differential Equations", theorem 1; Grathwohl et al.,
    2019, "FFJORD" (Hutchinson's estimate, the noise fixed during a solve).

    Args:
        net: v(t, z, context), a module; an attribute `context` says how many features it takes, 0 if there
            is none. With a method `with_trace(t, z, context, noise)` like that of `VelocityMLP` it
            computes its own trace, else `jacobian_trace` does, at some cost.
            Shapes are (batch, *event) in and out; log-determinants are (batch,).
        trace: "exact", or "hutchinson" for an unbiased estimate e^T (dv/dz) e with E[e e^T] = I.
        noise: the e of Hutchinson: "rademacher" (smaller variance) or "gaussian", drawn once per solve.
        redraw: whether every solve draws its noise anew. Then the estimates there and back differ by
            their noise: log_det + log_det_inverse is 0 on average only. With False the noise drawn first
            stays, for all points of that shape: the two cancel, but repeated estimates err alike.
        method: a fixed grid ("euler", "midpoint", "rk4") or an adaptive method ("dopri5", "dopri8",
            "bosh3", "adaptive_heun", "fehlberg2").
        steps: number of steps of a fixed grid. rk4 evaluates the net 4 times a step, midpoint 2.
        rtol, atol: relative and absolute tolerance of an adaptive method.
        adjoint: gradients from a second equation solved backwards: memory does not grow with the
            number of steps, the gradient is only as accurate as that solve, and it takes longer. It is
            a first derivative only. By default gradients go straight back through the steps: exact for
            the numbers computed.
        generator: source of Hutchinson's noise; the global one by default.

    After a solve, `evaluations` says how often the net was called (also by the adjoint's way back).
    `to_x` and `to_z`, and so `Flow.sample`, compute no trace.

    Raises:
        RuntimeError: an adaptive method failed: the message says how, and what to try. Or a second
            derivative was asked of the adjoint, or a transform of `torch.func` of either.

    Example:
        >>> layer, z = Continuous(VelocityMLP(2), method="rk4", steps=4), torch.randn(5, 2)
        >>> torch.allclose(layer.inverse(layer(z)[0])[0], z, atol=1e-4)
        True
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        trace: str = "exact",
        noise: str = "rademacher",
        redraw: bool = True,
        method: str = "rk4",
        steps: int = 8,
        rtol: float = 1e-5,
        atol: float = 1e-5,
        adjoint: bool = False,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        for name, value, allowed in (
            ("trace", trace, ("exact", "hutchinson")),
            ("noise", noise, ("rademacher", "gaussian")),
            ("method", method, (*FIXED_GRID, *ADAPTIVE)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
        if steps < 1:
            raise ValueError(f"a fixed grid needs steps >= 1, got {steps}")
        self.net = net
        self.context = getattr(net, "context", 0)
        self.event_shape = (net.dim,) if isinstance(net, VelocityMLP) else None
        self.trace, self.noise, self.redraw, self.generator = trace, noise, redraw, generator
        self._drawn: Tensor | None = None
        self.method, self.step_count, self.rtol, self.atol = method, steps, rtol, atol
        self.adjoint = adjoint
        self.evaluations = 0

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        x, log_det, _ = self.integrate(z, context, 0.0, 1.0)
        assert log_det is not None
        return x, log_det

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        z, log_det, _ = self.integrate(x, context, 1.0, 0.0)
        assert log_det is not None
        return z, log_det

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(z, context)
        return self.integrate(z, context, 0.0, 1.0, trace=False)[0]

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(x, context)
        return self.integrate(x, context, 1.0, 0.0, trace=False)[0]

    def integrate(
        self,
        start: Tensor,
        context: Tensor | None = None,
        from_time: float = 0.0,
        to_time: float = 1.0,
        energy: bool = False,
        trace: bool = True,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Carry `start`, (batch, *event), from one time to another.

        Returns:
            The points, (batch, *event); log|det| of the map from `start` to them, (batch,), None with
            `trace=False`; and, with `energy=True`, the integral of |v|^2 along each path, (batch,), else
            None. Paths of little energy are straight, and a solver needs few steps for them: a fraction
            of its mean added to the loss is the kinetic penalty of Finlay et al., 2020, "How to train
            your neural ODE".
        """
        self.evaluations = 0
        self._refuse_transforms()
        noise = self._draw(start) if trace and self.trace == "hutchinson" else None
        field = _Field(self.net, noise, trace, energy)
        totals = [no_log_det(start) for _ in range(trace + energy)]
        if self.adjoint:
            learned = dict(field.named_parameters())
            point, *totals = _Adjoint.apply(
                self, field, tuple(learned), (from_time, to_time), totals, start, context, *learned.values()
            )
        else:

            def rates(t: float | Tensor, point: Tensor) -> list[Tensor]:
                self.evaluations += 1
                return field(t, point, context)

            point, *totals = self.solve(rates, start, totals, from_time, to_time, _row_norm)
        sign = 1.0 if to_time > from_time else -1.0
        return point, totals[0] if trace else None, sign * totals[-1] if energy else None

    def solve(
        self,
        rates: Rates,
        point: Tensor,
        totals: Sequence[Tensor],
        from_time: float,
        to_time: float,
        norm: Norm,
    ) -> list[Tensor]:
        """The point and the totals at `to_time`; `norm` measures the error of an adaptive method."""
        solver = self._fixed if self.method in FIXED_GRID else self._adaptive
        return solver(rates, point, list(totals), from_time, to_time, norm)

    def _fixed(
        self, rates: Rates, point: Tensor, totals: list[Tensor], from_time: float, to_time: float, norm: Norm
    ) -> list[Tensor]:
        nodes, weights = FIXED_GRID[self.method]
        dt = (to_time - from_time) / self.step_count
        for step in range(self.step_count):
            t = from_time + step * dt
            following = point
            v = None
            for node, weight in zip(nodes, weights, strict=True):
                stage = point if v is None else torch.add(point, v, alpha=node * dt)
                v, *others = rates(t + node * dt, stage)
                if weight:
                    following = torch.add(following, v, alpha=weight * dt)
                    totals = [
                        torch.add(total, rate, alpha=weight * dt)
                        for total, rate in zip(totals, others, strict=True)
                    ]
            point = following
        return [point, *totals]

    def _adaptive(
        self, rates: Rates, point: Tensor, totals: list[Tensor], from_time: float, to_time: float, norm: Norm
    ) -> list[Tensor]:
        from torchdiffeq import odeint  # it loads scipy, which most flows never need

        in_net = False

        def velocity(t: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            nonlocal in_net
            in_net = True
            values = rates(t, state[0].to(point.dtype))
            in_net = False
            return tuple(values)

        times = torch.tensor([from_time, to_time], dtype=point.dtype, device=point.device)
        options = {"max_num_steps": 10_000, "norm": norm}
        # The compiler cannot follow steps that depend on errors: it leaves the solve as it is.
        solve = torch.compiler.disable(odeint) if torch.compiler.is_compiling() else odeint
        try:
            # All of one dtype, as torchdiffeq wants them.
            path = solve(
                velocity,
                (point, *(total.to(point.dtype) for total in totals)),
                times,
                rtol=self.rtol,
                atol=self.atol,
                method=self.method,
                options=options,
            )
        except AssertionError as error:
            if in_net:  # the net's own
                raise
            raise RuntimeError(
                f"the {self.method} solver gave up after {self.evaluations} evaluations of the velocity "
                f"({error}). The input is not finite, or the velocity changes too fast for rtol={self.rtol}, "
                f"atol={self.atol} in {point.dtype}: check the input, loosen the tolerances, penalise the "
                "energy while training, or use a fixed grid such as method='rk4'"
            ) from error
        return [values[-1].to(start.dtype) for values, start in zip(path, (point, *totals), strict=True)]

    def _refuse_transforms(self) -> None:
        what = "adjoint=True" if self.adjoint else f"method={self.method!r}"
        if transformed() and (self.adjoint or self.method in ADAPTIVE):
            raise RuntimeError(
                f"Continuous with {what} does not work inside torch.func (vmap, grad, jacrev, jvp): use "
                "adjoint=False and a fixed grid such as method='rk4'"
            )

    def _draw(self, like: Tensor) -> Tensor:
        """The noise of a solve: new, or with redraw=False the noise of the first."""
        kept = self._drawn
        if kept is not None and (kept.shape, kept.dtype, kept.device) == (
            like.shape,
            like.dtype,
            like.device,
        ):
            return kept
        noise = self._draw_anew(like)
        self._drawn = None if self.redraw else noise
        return noise

    def _draw_anew(self, like: Tensor) -> Tensor:
        draw = draw_normal if self.noise == "gaussian" else draw_signs
        return draw(like.shape, like, self.generator)

    def extra_repr(self) -> str:
        how = (
            f"steps={self.step_count}" if self.method in FIXED_GRID else f"rtol={self.rtol}, atol={self.atol}"
        )
        return f"trace={self.trace}, method={self.method}, {how}, adjoint={self.adjoint}"


class _Field(nn.Module):
    """(t, z, context) -> the velocity and, where asked for, its trace and its square."""

    def __init__(self, net: nn.Module, noise: Tensor | None, trace: bool, energy: bool):
        super().__init__()
        self.net, self.noise, self.trace, self.energy = net, noise, trace, energy

    def forward(self, t: float | Tensor, z: Tensor, context: Tensor | None) -> list[Tensor]:
        own = getattr(self.net, "with_trace", None)
        if not self.trace:
            rates = [self.net(t, z, context)]
        elif own is not None:
            rates = [*own(t, z, context, self.noise)]
        else:
            rates = [*jacobian_trace(self.net, t, z, context, self.noise)]
        return [*rates, sum_event(rates[0] * rates[0])] if self.energy else rates


def _row_norm(errors: Sequence[Tensor]) -> Tensor:
    """The largest over the rows of a batch of the RMS of a row's errors: of its point and its totals."""
    point, *totals = errors
    rows = torch.cat([point.flatten(1), *(total[:, None] for total in totals)], 1)
    return rows.square().mean(1).amax() ** 0.5 if len(rows) else rows.new_zeros(())


def _adjoint_norm(errors: Sequence[Tensor]) -> Tensor:
    """The same of points and their adjoints, or the RMS of a parameter's gradient if that is larger."""
    rows, *gradients = errors
    means = [gradient.square().mean() ** 0.5 for gradient in gradients if gradient.numel()]
    return torch.stack([_row_norm([rows]), *means]).amax()


class _Adjoint(torch.autograd.Function):
    """Solve forward and keep the end alone; for the gradient solve backward, by the same method.

    With a(t) = dL/dz(t), and g the derivatives of L by the totals, whose rates are r,

        da/dt = -d(a.v + g.r)/dz    and    dL/dtheta = integral of d(a.v + g.r)/dtheta dt.

    Source: Chen et al., 2018, "Neural Ordinary Differential Equations", appendix B.
    """

    @staticmethod
    def forward(
        ctx: Any,
        layer: Continuous,
        field: _Field,
        names: tuple[str, ...],
        times: tuple[float, float],
        totals: list[Tensor],
        start: Tensor,
        context: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, ...]:
        def rates(t: float | Tensor, point: Tensor) -> list[Tensor]:
            layer.evaluations += 1
            return field(t, point, context)

        end, *totals = layer.solve(rates, start, totals, *times, _row_norm)
        ctx.layer, ctx.field, ctx.names, ctx.times = layer, field, names, times
        ctx.save_for_backward(start, end, context, *parameters)
        return end, *totals

    @staticmethod
    def backward(ctx: Any, by_end: Tensor, *by_totals: Tensor) -> tuple[Tensor | None, ...]:
        layer, saved = ctx.layer, ctx.saved_tensors
        _, end, *given = saved
        needed = ctx.needs_input_grad[6:]  # by the context and the parameters
        given = [
            None if value is None else value.detach().requires_grad_(needs)
            for value, needs in zip(given, needed, strict=True)
        ]
        learned = [value for value, needs in zip(given, needed, strict=True) if needs]
        # At the time of the backward pass the net may hold other parameters (torch.func.functional_call).
        context, parameters = given[0], dict(zip(ctx.names, given[1:], strict=True))

        def rates(t: float | Tensor, both: Tensor) -> list[Tensor]:
            layer.evaluations += 1
            z, a = both.unbind(1)
            with torch.enable_grad():
                z = z.detach().requires_grad_()
                values = torch.func.functional_call(ctx.field, parameters, (t, z, context))
                total = sum((value * by).sum() for value, by in zip(values, (a, *by_totals), strict=True))
                found = torch.autograd.grad(total, (z, *learned), allow_unused=True, materialize_grads=True)
            by_z, *by_learned = (-gradient for gradient in found)
            return [torch.stack([values[0].detach(), by_z], 1), *by_learned]

        with torch.no_grad():
            both = torch.stack([end, by_end], 1)
            zeros = [torch.zeros_like(value) for value in learned]
            both, *by_learned = layer.solve(rates, both, zeros, *reversed(ctx.times), _adjoint_norm)
        results = [both[:, 1], *by_learned]
        if torch.is_grad_enabled():
            results = refuse_again(ONCE, results, [by_end, *by_totals, *saved])
        by_start, *rest = results
        others = iter(rest)
        return *[None] * 5, by_start, *(next(others) if needs else None for needs in needed)
