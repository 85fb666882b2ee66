"""Continuous flows: z moves along a velocity field, an ordinary differential equation carries the density."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import Bijection, as_sizes, check_context, draw_normal, no_log_det, sum_event, wide
from flowlib.nets import Widths, zero_initialised
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
Rates = Callable[[float | Tensor, Tensor], tuple[Tensor, ...]]  # t, z -> v, its trace, |v|^2 if asked


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
        return v, (start * tangents).sum((1, 2))

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
        return (F.linear(slope1, w2 * (w1 @ w3).T) * slope2).sum(1)

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
        return v, sum_event(product(noise)[0] * noise)
    size = z[0].numel()
    units = torch.eye(size, dtype=z.dtype, device=z.device).view(size, 1, *z.shape[1:])
    units = units.expand(size, *z.shape)
    (rows,) = torch.func.vmap(product)(units)
    return v, sum_event((units * rows).sum(0))


class Continuous(Bijection):
    """x = z(1), where z(0) = z and dz/dt = v(t, z): every point is carried along by a velocity field.

    The density follows the instantaneous change of variables,

        log|det dx/dz| = integral over t from 0 to 1 of tr dv/dz (t, z(t)) dt,

    and the inverse integrates from 1 to 0. Any velocity that is Lipschitz in z will do.

    With a fixed grid, both directions are accurate to the order of the method rather than to the
    last digit: halve the step and compare, or use an adaptive method, to know how far. The fixed grid
    runs here, without asking a GPU for a single value; adaptive methods and the adjoint run in torchdiffeq.

    Source: Chen et al., 2018, "Neural Ordinary Differential Equations", theorem 1; Grathwohl et al.,
    2019, "FFJORD" (Hutchinson's estimate, the noise fixed during a solve).

    Args:
        net: v(t, z, context), a module; an attribute `context` says how many features it takes, 0 if there
            is none. With a method `with_trace(t, z, context, noise)` like that of `VelocityMLP` it
            computes its own trace, else `jacobian_trace` does, at some cost.
            Shapes are (batch, *event) in and out; log-determinants are (batch,).
        trace: "exact", or "hutchinson" for an unbiased estimate e^T (dv/dz) e with E[e e^T] = I.
        noise: the e of Hutchinson: "rademacher" (smaller variance) or "gaussian", drawn once per solve.
        method: a fixed grid ("euler", "midpoint", "rk4") or an adaptive method ("dopri5", "dopri8",
            "bosh3", "adaptive_heun", "fehlberg2").
        steps: number of steps of a fixed grid. rk4 evaluates the net 4 times a step, midpoint 2.
        rtol, atol: relative and absolute tolerance of an adaptive method.
        adjoint: gradients from a second equation solved backwards: memory does not grow with the
            number of steps, the gradient is only as accurate as that solve, and it takes longer. By
            default gradients go straight back through the steps: exact for the numbers computed.
        generator: source of Hutchinson's noise; the global one by default.

    After a solve, `evaluations` says how often the net was called (also by the adjoint's way back).

    Raises:
        RuntimeError: an adaptive method failed: the message says how, and what to try.

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
        self.trace, self.noise, self.generator = trace, noise, generator
        self.method, self.step_count, self.rtol, self.atol = method, steps, rtol, atol
        self.adjoint = adjoint
        self.evaluations = 0

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        x, log_det, _ = self.integrate(z, context, 0.0, 1.0)
        return x, log_det

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        z, log_det, _ = self.integrate(x, context, 1.0, 0.0)
        return z, log_det

    def integrate(
        self,
        start: Tensor,
        context: Tensor | None = None,
        from_time: float = 0.0,
        to_time: float = 1.0,
        energy: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Carry `start`, (batch, *event), from one time to another.

        Returns:
            The points, (batch, *event); log|det| of the map from `start` to them, (batch,); and, with
            `energy=True`, the integral of |v|^2 along each path, (batch,), else None. Paths of little
            energy are straight, and a solver needs few steps for them: a fraction of its mean added
            to the loss is the kinetic penalty of Finlay et al., 2020, "How to train your neural ODE".
        """
        self.evaluations = 0
        noise = self._draw(start) if self.trace == "hutchinson" else None

        def rates(t: float | Tensor, point: Tensor) -> tuple[Tensor, ...]:
            self.evaluations += 1
            compute = getattr(self.net, "with_trace", None)
            if compute is None:
                v, trace = jacobian_trace(self.net, t, point, context, noise)
            else:
                v, trace = compute(t, point, context, noise)
            return (v, trace, sum_event(v * v)) if energy else (v, trace)

        totals = [no_log_det(start) for _ in range(2 if energy else 1)]
        if self.method in FIXED_GRID and not self.adjoint:
            point, totals = self._fixed(rates, start, totals, from_time, to_time)
        else:
            point, *totals = self._torchdiffeq(rates, start, totals, context, from_time, to_time)
        sign = 1.0 if to_time > from_time else -1.0
        return point, totals[0], sign * totals[1] if energy else None

    def _fixed(
        self, rates: Rates, point: Tensor, totals: list[Tensor], from_time: float, to_time: float
    ) -> tuple[Tensor, list[Tensor]]:
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
        return point, totals

    def _torchdiffeq(
        self,
        rates: Rates,
        point: Tensor,
        totals: list[Tensor],
        context: Tensor | None,
        from_time: float,
        to_time: float,
    ) -> list[Tensor]:
        from torchdiffeq import odeint, odeint_adjoint  # it loads scipy, which most flows never need

        times = torch.tensor([from_time, to_time], dtype=point.dtype, device=point.device)
        if self.method in FIXED_GRID:
            options = {"step_size": abs(to_time - from_time) / self.step_count}
        else:
            options = {"max_num_steps": 10_000}
        arguments = {"rtol": self.rtol, "atol": self.atol, "method": self.method, "options": options}
        solve = odeint
        if self.adjoint:
            solve = odeint_adjoint
            learned: list[Tensor] = [p for p in self.net.parameters() if p.requires_grad]
            if context is not None and context.requires_grad:
                learned.append(context)
            arguments["adjoint_params"] = tuple(learned)
        try:
            start = (point, *(total.to(point.dtype) for total in totals))  # all of one dtype
            path = solve(lambda t, state: rates(t, state[0]), start, times, **arguments)
        except AssertionError as error:
            raise RuntimeError(
                f"the {self.method} solver gave up after {self.evaluations} evaluations of the velocity "
                f"({error}). The input is not finite, or the velocity changes too fast for rtol={self.rtol}, "
                f"atol={self.atol} in {point.dtype}: check the input, loosen the tolerances, penalise the "
                "energy while training, or use a fixed grid such as method='rk4'"
            ) from error
        point, *totals = (values[-1] for values in path)
        return [point, *map(wide, totals)]

    def _draw(self, like: Tensor) -> Tensor:
        if self.noise == "gaussian":
            return draw_normal(like.shape, like, self.generator)
        device = like.device if self.generator is None else self.generator.device
        signs = torch.empty(like.shape, dtype=like.dtype, device=device)
        return signs.bernoulli_(0.5, generator=self.generator).mul_(2).sub_(1).to(like.device)

    def extra_repr(self) -> str:
        how = (
            f"steps={self.step_count}" if self.method in FIXED_GRID else f"rtol={self.rtol}, atol={self.atol}"
        )
        return f"trace={self.trace}, method={self.method}, {how}, adjoint={self.adjoint}"
