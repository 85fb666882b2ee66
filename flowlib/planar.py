"""Flows that bend space along a hyperplane (planar, Sylvester) or around a point (radial)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import Bijection, find_root, no_log_det, wide

__all__ = ["MIN_SLOPE", "Planar", "Radial", "Sylvester"]

# The slope of a layer never falls below this. In exact arithmetic any positive slope is invertible;
# in float32 a slope of 1e-6 loses every digit on the way back.
MIN_SLOPE = 1e-3


class Planar(Bijection):
    """x = z + u' tanh(w.z + b): space is pushed along u' on both sides of one hyperplane.

    With a = w.z + b, the matrix determinant lemma gives the determinant in O(D):

        det dx/dz = 1 + (1 - tanh(a)^2) w.u'.

    It is positive for every z if and only if w.u' > -1. So the free parameter u is replaced by

        u' = u + (m(w.u) - w.u) w / |w|^2,    m(t) = -1 + log(1 + exp(t)),

    which makes w.u' = m(w.u) > -1. (Here m is kept above -1 + 1e-3, so that the inverse keeps its
    digits; with w = 0 the layer is a translation and nothing needs to be done.)

    There is no formula for the inverse, but w.x + b = a + w.u' tanh(a) is an increasing function of
    the one number a: its root is found to the precision of the dtype, then z = x - u' tanh(a). The
    gradient through the root is that of the implicit function theorem, first derivatives only.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows", equations
    10-12 and appendix A.1.

    Args:
        dim: D. Shapes are (batch, D) in and out; log-determinants are (batch,).

    Raises:
        ValueError: the input has another shape, or (inverse only) is not finite.

    Example:
        >>> layer, z = Planar(2), torch.randn(5, 2)
        >>> torch.allclose(layer.inverse(layer(z)[0])[0], z, atol=1e-5)
        True
    """

    def __init__(self, dim: int):
        super().__init__()
        self.dim, self.event_shape = dim, (dim,)
        self.w = nn.Parameter(torch.randn(dim) / math.sqrt(dim))
        self.u = nn.Parameter(0.1 * torch.randn(dim))
        self.b = nn.Parameter(torch.zeros(()))

    def constrained_u(self) -> tuple[Tensor, Tensor]:
        """u', shape (D,), and the smallest slope 1 + w.u', a number above zero."""
        w_u = (self.w * self.u).sum()
        square = self.w.square().sum()
        lowest = F.softplus(w_u).clamp(min=MIN_SLOPE)  # 1 + m(w.u)
        # 1e-12 matters only when |w| is about 1e-6 or less: it keeps w = 0 free of 0/0.
        u = self.u + (lowest - 1 - w_u) * self.w / (square + 1e-12)
        share = square / (square + 1e-12)
        return u, share * lowest + (1 - share) * (1 + w_u)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        u, lowest = self.constrained_u()
        a = (z * self.w).sum(1) + self.b
        return z + u * torch.tanh(a)[:, None], _log_slope(a, lowest)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        u, lowest = self.constrained_u()
        a = _solve_tanh((x * self.w).sum(1) + self.b, lowest - 1, 1.0, 0.0, lowest)
        return x - u * torch.tanh(a)[:, None], -_log_slope(a, lowest)

    def extra_repr(self) -> str:
        return str(self.dim)


class Radial(Bijection):
    """x = z0 + (z - z0) (1 + beta / (alpha + r)), r = |z - z0|: space is pulled to a point or pushed away.

    It is invertible if and only if beta > -alpha. With s = alpha + beta > 0 the layer reads
    x - z0 = (z - z0) (r + s) / (r + alpha): by the factor s/alpha at the centre, by 1 far away, and

        det dx/dz = ((r + s) / (r + alpha))^(D-1) * (r^2 + 2 alpha r + alpha s) / (r + alpha)^2.

    The inverse has a formula too: |x - z0| = r (r + s) / (r + alpha) is a quadratic equation in r.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows", equation 14 and
    appendix A.2.

    Args:
        dim: D. Shapes are (batch, D) in and out; log-determinants are (batch,).

    Example:
        >>> layer, z = Radial(2), torch.randn(5, 2)
        >>> torch.allclose(layer.inverse(layer(z)[0])[0], z, atol=1e-5)
        True
    """

    def __init__(self, dim: int):
        super().__init__()
        self.dim, self.event_shape = dim, (dim,)
        self.center = nn.Parameter(0.1 * torch.randn(dim))
        self.raw_alpha = nn.Parameter(torch.full((), math.log(math.e - 1)))  # alpha = 1
        self.raw_slope = nn.Parameter(math.log(math.e - 1) + 0.1 * torch.randn(()))  # s near 1

    def constrained(self) -> tuple[Tensor, Tensor]:
        """alpha and s = alpha + beta, two positive numbers."""
        alpha = F.softplus(self.raw_alpha).clamp(min=MIN_SLOPE)
        return alpha, F.softplus(self.raw_slope).clamp(min=MIN_SLOPE)

    def log_det(self, r: Tensor) -> Tensor:
        """log det dx/dz at distance r from the centre, both of shape (batch,)."""
        alpha, s = map(wide, self.constrained())
        r = wide(r)
        across = (r + s).log() - (r + alpha).log()
        along = (r * (r + 2 * alpha) + alpha * s).log() - 2 * (r + alpha).log()
        return (self.dim - 1) * across + along

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        alpha, s = self.constrained()
        offset = z - self.center
        r = torch.linalg.vector_norm(offset, dim=1)
        return self.center + offset * ((r + s) / (r + alpha))[:, None], self.log_det(r)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        alpha, s = self.constrained()
        offset = x - self.center
        distance = torch.linalg.vector_norm(offset, dim=1)
        # r^2 + (s - distance) r - alpha distance = 0; of the two ways to write the positive root,
        # the one that subtracts no nearly equal numbers.
        half = 0.5 * (distance - s)
        root = (half.square() + alpha * distance).sqrt()
        r = torch.where(half > 0, half + root, alpha * distance / (root + half.abs()))
        return self.center + offset * ((r + alpha) / (r + s))[:, None], -self.log_det(r)

    def extra_repr(self) -> str:
        return str(self.dim)


class Sylvester(Bijection):
    """x = z + Q R tanh(R' Q^T z + b): a planar layer with M directions instead of one.

    Q is D x M with orthonormal columns (a product of M Householder reflections); R and R' are M x M
    and upper triangular. With a = R' Q^T z + b, Sylvester's identity leaves the M x M determinant of
    a triangular matrix:

        det dx/dz = prod_i (1 + (1 - tanh(a_i)^2) R_ii R'_ii).

    Both diagonals are tanh of a free number, so that R_ii R'_ii > -1 and the layer is invertible.
    The inverse works in v = Q^T z, from the last coordinate to the first: v_i is the root of an
    increasing function once v_{i+1}, ..., v_M are known.

    Source: van den Berg et al., 2018, "Sylvester Normalizing Flows for Variational Inference",
    theorems 1 and 2 and section 4.2.

    Args:
        dim: D. Shapes are (batch, D) in and out; log-determinants are (batch,).
        rank: M <= D, the number of directions; min(D, 8) by default.

    Raises:
        ValueError: `rank` is not within 1 ... D; the input has another shape, or (inverse only) is
            not finite.

    Example:
        >>> x, log_det = Sylvester(10, rank=3)(torch.randn(5, 10))
        >>> x.shape, log_det.shape
        (torch.Size([5, 10]), torch.Size([5]))
    """

    def __init__(self, dim: int, rank: int | None = None):
        super().__init__()
        rank = min(dim, 8) if rank is None else rank
        if not 1 <= rank <= dim:
            raise ValueError(f"Sylvester needs a rank from 1 to dim = {dim}, got {rank}")
        self.dim, self.rank, self.event_shape = dim, rank, (dim,)
        self.reflections = nn.Parameter(torch.randn(rank, dim))
        self.outer = nn.Parameter(0.1 * torch.randn(rank, rank))  # R before its constraint
        self.inner = nn.Parameter(0.1 * torch.randn(rank, rank))  # R' before its constraint
        self.b = nn.Parameter(torch.zeros(rank))

    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Q, shape (D, M), and R and R', each (M, M)."""
        q = torch.eye(self.dim, self.rank, dtype=self.b.dtype, device=self.b.device)
        for v in F.normalize(self.reflections, dim=1):
            q = q - 2 * torch.outer(v, v @ q)
        # Ten times MIN_SLOPE, because the slopes of several directions multiply.
        limit = math.sqrt(1 - 10 * MIN_SLOPE)
        outer, inner = (
            raw.triu(1) + (limit * torch.tanh(raw.diagonal())).diag() for raw in (self.outer, self.inner)
        )
        return q, outer, inner

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        q, outer, inner = self.factors()
        a = z @ q @ inner.T + self.b
        x = z + torch.tanh(a) @ outer.T @ q.T
        lowest = 1 + outer.diagonal() * inner.diagonal()
        return x, _log_slope(a, lowest).sum(1)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        q, outer, inner = self.factors()
        y = x @ q
        lowest = 1 + outer.diagonal() * inner.diagonal()
        v: list[Tensor] = []  # v_i and tanh(a_i), from the last i to the first
        h: list[Tensor] = []
        log_det = no_log_det(x)
        for i in reversed(range(self.rank)):
            rest_y, rest_a = y[:, i], self.b[i]
            if v:
                rest_y = rest_y - torch.stack(h, 1) @ outer[i, i + 1 :].flip(0)
                rest_a = rest_a + torch.stack(v, 1) @ inner[i, i + 1 :].flip(0)
            # rest_y = v_i + R_ii tanh(R'_ii v_i + rest_a)
            v_i = _solve_tanh(rest_y, outer[i, i], inner[i, i], rest_a, lowest[i])
            a = inner[i, i] * v_i + rest_a
            v.append(v_i)
            h.append(torch.tanh(a))
            log_det = log_det - _log_slope(a, lowest[i])
        return x - torch.stack(h[::-1], 1) @ outer.T @ q.T, log_det

    def extra_repr(self) -> str:
        return f"{self.dim}, rank={self.rank}"


def _tanh_slope(a: Tensor, lowest: Tensor) -> Tensor:
    """1 + (lowest - 1) (1 - tanh(a)^2), the slope of a + (lowest - 1) tanh(a), as a sum of positive terms."""
    bend = 4 * torch.sigmoid(2 * a) * torch.sigmoid(-2 * a)  # 1 - tanh(a)^2, without cancellation
    return (1 - bend) + lowest * bend


def _log_slope(a: Tensor, lowest: Tensor) -> Tensor:
    return _tanh_slope(wide(a), wide(lowest)).log()


def _solve_tanh(
    y: Tensor, height: Tensor, scale: Tensor | float, shift: Tensor | float, lowest: Tensor
) -> Tensor:
    """The root v of v + height tanh(scale v + shift) = y, shape (batch,); lowest = 1 + height scale > 0."""

    def function(v: Tensor) -> tuple[Tensor, Tensor]:
        a = scale * v + shift
        return v + height * torch.tanh(a), _tanh_slope(a, lowest)

    reach = height.abs()  # since |tanh| <= 1
    return find_root(function, y, y - reach, y + reach)
