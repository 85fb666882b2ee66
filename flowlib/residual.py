"""Residual layers x = z + g(z): any net g that contracts will do, the determinant has no special form."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowlib.bijection import Bijection, at_least_float32, draw_signs, sum_event, wide
from flowlib.fixed_point import Solution, contract, newton, row_norm
from flowlib.gradients import first_only, refuse_again
from flowlib.linear import full_precision
from flowlib.lipschitz import LipschitzConvNet, LipschitzMLP, Net, Pull
from flowlib.recording import plain, transformed

__all__ = ["EXACT_UP_TO", "LOG_DETS", "SOLVERS", "Residual", "power_series"]

LOG_DETS = ("auto", "exact", "series", "roulette")
SOLVERS = ("fixed", "newton")
EXACT_UP_TO = 16  # dimensions, where log_det="auto"
TERMS = {"series": 10, "roulette": 4}
ONCE = (
    "an estimated log-determinant (log_det='series' or 'roulette') has a first derivative only, by its "
    "Neumann series: use log_det='exact' for second derivatives and for torch.func"
)


class Residual(Bijection):
    """x = z + g(z), invertible because g contracts: |g(z) - g(y)| <= L |z - y| with L < 1.

    Given x, the map z -> x - g(z) is a contraction too, so it has exactly one fixed point, and repeating it
    leads there from anywhere (Banach, 1922). After a step of length s the fixed point is at most
    L / (1 - L) s away: `solve` stops by that bound, `inverse` raises where it is not reached.

    The log-determinant is a power series in the Jacobian J = dg/dz:

        log det(I + J) = tr J - tr J^2 / 2 + tr J^3 / 3 - ...

    - "exact": J is formed by D products, and its determinant taken. All derivatives are right.
    - "series": the first `terms` terms, each trace estimated as v^T J^k v with random signs v (Hutchinson).
      That is biased, by at most `bias_bound`.
    - "roulette": after `terms` terms each further one comes with probability 1 - stop, and what comes is
      divided by the probability that it comes. That is unbiased: the mean of many estimates is exact.

    The gradient of the last two is that of v^T J v with one v replaced by the Neumann series of
    (I + J)^-T v, whose terms need no graph: memory does not grow with their number. First derivatives only.

    The gradient of `inverse` is that of the implicit function theorem, dz = (I + J)^-1 (dx - dg).

    Source: Behrmann et al., 2019, "Invertible Residual Networks", theorem 1, algorithm 1 and section 3.2;
    Chen et al., 2019, "Residual Flows for Invertible Generative Modeling", theorems 1 and 2.

    Args:
        net: g, a module (z) or (z, context) -> as z, such as `LipschitzMLP(2)`. An attribute `context` says
            how many features it takes, 0 if there is none. Shapes are (batch, *event) in and out;
            log-determinants are (batch,).
        lipschitz: L. Taken from net.lipschitz; of another net you have to know it.
        log_det: as above; "auto" is "exact" in up to 16 dimensions, else "roulette".
        terms: see above; 10 for "series", 4 for "roulette" if None.
        stop: see above; 1 - L if None. With 1 - stop <= L^2 the variance of the estimates may be infinite: a
            mean of thousands then still misses the rare, heavy terms.
        solver: "fixed" repeats z -> x - g(z). "newton" solves with I + J in each round (D products, for small
            D), and takes the other step where that did not help.
        rounds: how many rounds `inverse` takes, whatever their error is; None for as many as it needs.
        tolerance: the error that `inverse` allows, in units of 1 + |x|; if None, rounding: 8 eps / (1 - L).
        generator: source of v and of the number of terms; the global one by default.

    On a GPU (see `flowlib.recording`) training with "exact" can be recorded; "roulette", which draws the
    number of its terms, and searches, which look whether they have converged, run step by step.

    After a search, `evaluations` says how often g was called. Results are computed in float32 at least, and
    without autocast: an inverse needs its digits.

    Raises:
        ValueError: L is not below 1, or (inverse) the search did not converge: x is not finite, or g does not
            contract as L promises.
        RuntimeError: a second derivative, or a transform of `torch.func`, of an estimated log-determinant.

    Example:
        >>> layer, z = Residual(LipschitzMLP(2)).eval(), torch.randn(5, 2)
        >>> torch.allclose(layer.inverse(layer(z)[0])[0], z, atol=1e-4)
        True
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        lipschitz: float | None = None,
        log_det: str = "auto",
        terms: int | None = None,
        stop: float | None = None,
        solver: str = "fixed",
        rounds: int | None = None,
        tolerance: float | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        for name, value, allowed in (("log_det", log_det, LOG_DETS), ("solver", solver, SOLVERS)):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
        lipschitz = getattr(net, "lipschitz", None) if lipschitz is None else lipschitz
        if lipschitz is None:
            raise ValueError("say how much the net stretches at most: Residual(net, lipschitz=0.9)")
        if not 0 < lipschitz < 1:
            raise ValueError(f"z + g(z) is sure to be invertible where g has lipschitz < 1, got {lipschitz}")
        stop = 1 - lipschitz if stop is None else stop
        if not 0 < stop < 1 or (terms is not None and terms < 1):
            raise ValueError(f"an estimate needs terms >= 1 and 0 < stop < 1, got {terms} and {stop}")
        self.net, self.lipschitz, self.context = net, lipschitz, getattr(net, "context", 0)
        if isinstance(net, LipschitzMLP | LipschitzConvNet):
            self.event_shape = net.shape
        self.log_det, self.terms, self.stop = log_det, terms, stop
        self.solver, self.rounds, self.tolerance = solver, rounds, tolerance
        self.generator = generator
        self.evaluations = 0

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        with full_precision(z):
            g, log_det = self._linear_part(self._net(z), wide(z), context)
            return (z + g).to(z.dtype), log_det

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        with full_precision(x):
            net = self._net(x)
            z = self._root(net, wide(x), context)
            return z.to(x.dtype), -self._linear_part(net, z, context)[1]

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(z, context)
        with full_precision(z):
            return (z + self._net(z)(wide(z), context)).to(z.dtype)

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(x, context)
        with full_precision(x):
            return self._root(self._net(x), wide(x), context).to(x.dtype)

    # ------------------------------------------------------------------ the inverse

    def solve(self, x: Tensor, context: Tensor | None = None, rounds: int | None = None) -> Solution:
        """Search for the z of each x, (batch, *event), without gradients.

        Args:
            rounds: how many, whatever the error is then; None for as many as the tolerance needs.

        Raises:
            ValueError: without `rounds`, the tolerance was not met in as many rounds as L promises.
        """
        self.check(x, context)
        with full_precision(x):
            return self._search(self._net(x), wide(x), context, rounds)

    @torch.no_grad()
    def _search(self, net: Net, x: Tensor, context: Tensor | None, rounds: int | None) -> Solution:
        goal = x.detach()
        limits = self.lipschitz, 1 + row_norm(goal), self._allowed(goal), rounds
        if self.solver == "newton":
            found = newton(lambda z: _linearised(net, z, context), goal, *limits)
        else:
            found = contract(lambda z: goal - net(z, context), goal, *limits)
        self.evaluations = found.rounds
        return found

    def _root(self, net: Net, x: Tensor, context: Tensor | None) -> Tensor:
        """The z of x, with the gradient of the implicit function theorem."""
        z = self._search(net, x, context, self.rounds).z.detach()
        if not torch.is_grad_enabled() and plain():
            return z
        if self._way(x) != "exact":
            _refuse_transforms()
            g, pull = net.linearise(z, context)
            return _Implicit.apply(self, pull, z, x - z - g)
        # As in `find_root`: two Newton steps, of which only the derivatives are added. Each doubles the
        # number of right terms in the Taylor series of z; the first may hold its matrix constant.
        for constant in (True, False):
            g, matrix = _linearised(net, z, context)
            residual = (z + g - x).flatten(1)
            matrix = matrix.detach() if constant else matrix
            z = z - torch.linalg.solve(matrix, residual - residual.detach()).view_as(z)
        return z

    def _allowed(self, x: Tensor) -> float:
        rounding = 8 * torch.finfo(x.dtype).eps / (1 - self.lipschitz)
        return rounding if self.tolerance is None else self.tolerance

    # ------------------------------------------------------------------ the log-determinant

    def bias_bound(self, size: int) -> float:
        """How far the mean of "series" may be off in `size` dimensions: D L^(n+1) / ((n+1) (1-L)); else 0.

        Source: Behrmann et al., 2019, theorem 4.
        """
        if self.log_det != "series":
            return 0.0
        n, L = self._terms("series"), self.lipschitz
        return size * L ** (n + 1) / ((n + 1) * (1 - L))

    def coefficients(self, way: str) -> list[float]:
        """What the terms k = 1, 2, ... of an estimate are multiplied by: 1, or 1 / P(the k-th comes)."""
        sure = [1.0] * self._terms(way)
        if way == "series":
            return sure
        device = "cpu" if self.generator is None else self.generator.device
        chance = 1 - torch.rand((), generator=self.generator, device=device).item()
        more = int(math.log(chance) / math.log(1 - self.stop))  # P(more >= k) = (1 - stop)^k
        return sure + [(1 - self.stop) ** -k for k in range(1, more + 1)]

    def _linear_part(self, net: Net, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """g(z) and log det(I + J)."""
        way = self._way(z)
        if way == "exact":
            g, matrix = _linearised(net, z, context)
            return g, torch.linalg.slogdet(matrix).logabsdet
        _refuse_transforms()
        v = draw_signs(z.shape, z, self.generator)
        g, pull = net.linearise(z, context)
        log_det, series = power_series(pull, v, self.coefficients(way))
        if torch.is_grad_enabled():
            slope = sum_event(pull(series.unsqueeze(1)).squeeze(1) * v)
            log_det = log_det + first_only(slope - slope.detach(), ONCE)
        return g, log_det

    def _way(self, z: Tensor) -> str:
        if self.log_det != "auto":
            return self.log_det
        return "exact" if math.prod(z.shape[1:]) <= EXACT_UP_TO else "roulette"

    def _terms(self, way: str) -> int:
        return TERMS[way] if self.terms is None else self.terms

    def _net(self, like: Tensor) -> Net:
        """g with the weights of now."""
        own = getattr(self.net, "function", None)
        if own is not None:
            return own()

        def g(z: Tensor, context: Tensor | None) -> Tensor:
            z = z.to(like.dtype)
            return self.net(z, context) if self.context else self.net(z)

        return Net(g)

    def extra_repr(self) -> str:
        return f"lipschitz={self.lipschitz}, log_det={self.log_det}, solver={self.solver}"


@torch.no_grad()
def power_series(pull: Pull, v: Tensor, coefficients: list[float]) -> tuple[Tensor, Tensor]:
    """Sum (-1)^(k+1) c_k v^T J^k v / k, (batch,), and the Neumann series c_1 v - c_2 v J + c_3 v J^2 - ...

    The first estimates log det(I + J). The second, s, gives its gradient: that of s^T J v with s held, since
    d log det(I + J) = tr((I + J)^-1 dJ). Both have n terms; c_1 = 1.

    Args:
        pull: rows (batch, 1, *event) -> rows J.
        v: random signs, (batch, *event).
        coefficients: c_1, ..., c_n.
    """
    power, total, series = v, torch.zeros(len(v), dtype=at_least_float32(v), device=v.device), v
    for k, coefficient in enumerate(coefficients, 1):
        power = pull(power.unsqueeze(1)).squeeze(1)
        total = total + (-1) ** (k + 1) * coefficient / k * sum_event(power * v)
        if k < len(coefficients):
            series = series + (-1) ** k * coefficients[k] * power
    return total, series


class _Implicit(torch.autograd.Function):
    """z as a function of r = x - z - g(z), which is 0 at the root: dz = (I + J)^-1 dr."""

    @staticmethod
    def forward(ctx: Any, layer: Residual, pull: Pull, z: Tensor, residual: Tensor) -> Tensor:
        ctx.layer, ctx.pull = layer, pull
        ctx.save_for_backward(residual)
        return z.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None, Tensor]:
        layer = ctx.layer
        with torch.no_grad():  # w = gradient - w J, a contraction with the same constant
            found = contract(
                lambda w: gradient - ctx.pull(w.unsqueeze(1)).squeeze(1),
                gradient,
                layer.lipschitz,
                row_norm(gradient),
                layer._allowed(gradient),
            ).z
        if torch.is_grad_enabled():
            (found,) = refuse_again(ONCE, [found], [gradient, *ctx.saved_tensors])
        return None, None, None, found


def _refuse_transforms() -> None:
    if transformed():
        raise RuntimeError(f"no transform of torch.func (vmap, grad, jacrev, jvp) works here: {ONCE}")


def _linearised(net: Net, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """g(z), (batch, *event), and I + J, (batch, D, D), D the size of an event."""
    g, pull = net.linearise(z, context)
    size = z[0].numel()
    unit = torch.eye(size, dtype=z.dtype, device=z.device)
    return g, unit + pull(unit.view(1, size, *z.shape[1:])).flatten(2)
