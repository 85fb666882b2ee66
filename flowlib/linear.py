"""Linear layers: an LU-factored matrix, permutations, and a normalisation that starts from the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import Bijection, check_event, no_log_det, sum_terms, wide

__all__ = ["ActNorm", "Linear", "Permutation", "full_precision"]


class Linear(Bijection):
    """x = W z + b with W = P L U, which cannot become singular.

    P is a fixed permutation, L is lower triangular with ones on its diagonal, and U is upper
    triangular with diagonal sign * exp(log_diagonal), the signs fixed. So

        log|det W| = sum(log_diagonal),

    in O(D) instead of O(D^3), and the inverse is two triangular solves, O(D^2) per point. The
    layer starts as the identity.

    Source: Kingma & Dhariwal, 2018, "Glow", section 3.2; Oliva et al., 2018, "Transformation
    Autoregressive Networks".

    Args:
        dim: D. Shapes are (batch, D) in and out; log-determinants are (batch,).
        bias: whether b is learned or left out.

    Example:
        >>> layer = Linear.from_matrix(torch.tensor([[2.0, 1.0], [0.0, 3.0]]))
        >>> layer(torch.ones(1, 2))[0].detach()
        tensor([[3., 3.]])
    """

    sign: Tensor
    order: Tensor
    back: Tensor

    def __init__(self, dim: int, *, bias: bool = True):
        super().__init__()
        if dim < 1:
            raise ValueError(f"{type(self).__name__} needs dim >= 1, got {dim}")
        self.dim, self.event_shape = dim, (dim,)
        self.lower = nn.Parameter(torch.zeros(dim, dim))  # only what lies below the diagonal is used
        self.upper = nn.Parameter(torch.zeros(dim, dim))  # only what lies above the diagonal is used
        self.log_diagonal = nn.Parameter(torch.zeros(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.register_buffer("sign", torch.ones(dim))
        self.register_buffer("order", torch.arange(dim))  # row i of W is row order[i] of L U
        self.register_buffer("back", torch.arange(dim))

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: Tensor | None = None) -> Linear:
        """The layer whose W is `matrix`, (D, D), and whose b is `bias`, (D,), or zero.

        Raises:
            ValueError: the matrix is not square, or is singular; the bias has another shape, or the
                layer has none.
        """
        if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"expected a square matrix, got shape {tuple(matrix.shape)}")
        layer = cls(len(matrix)).to(matrix.device, matrix.dtype)
        layer.set_weight(matrix)
        if bias is not None:
            if layer.bias is None:
                raise ValueError(f"{cls.__name__} has no bias: leave it out")
            if bias.shape != layer.bias.shape:
                raise ValueError(f"expected a bias of shape ({len(matrix)},), got {tuple(bias.shape)}")
            with torch.no_grad():
                layer.bias.copy_(bias)
        return layer

    @torch.no_grad()
    def set_weight(self, matrix: Tensor) -> None:
        """Factor `matrix`, (D, D), into P, L and U, so that `weight()` returns it.

        Raises:
            ValueError: the matrix has another shape, or is singular.
        """
        if matrix.shape != self.lower.shape:
            raise ValueError(
                f"expected a matrix of shape {tuple(self.lower.shape)}, got {tuple(matrix.shape)}"
            )
        permutation, lower, upper = torch.linalg.lu(wide(matrix))
        diagonal = upper.diagonal()
        if not float(diagonal.abs().min()) > torch.finfo(matrix.dtype).eps * float(matrix.abs().max()):
            raise ValueError("the matrix is singular: a linear flow needs an invertible one")
        self.lower.copy_(lower.tril(-1))
        self.upper.copy_(upper.triu(1))
        self.log_diagonal.copy_(diagonal.abs().log())
        self.sign.copy_(diagonal.sign())
        self.order.copy_(permutation.argmax(1))  # P[i, order[i]] = 1
        self.back.copy_(self.order.argsort())

    def weight(self) -> Tensor:
        """W = P L U, (D, D)."""
        upper = self._upper()
        with full_precision(upper):
            # L U = U + (L - I) U
            return torch.addmm(upper, self.lower.tril(-1), upper).index_select(0, self.order)

    def _upper(self) -> Tensor:
        diagonal = self.sign * self.log_diagonal.exp()
        return self.upper.triu(1) + diagonal.diag()

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        with full_precision(z):
            x = F.linear(z, self.weight(), self.bias)
        return x, sum_terms(self.log_diagonal).expand(len(z))

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        z = self.solve((x if self.bias is None else x - self.bias).T).T
        return z, -sum_terms(self.log_diagonal).expand(len(x))

    def solve(self, columns: Tensor) -> Tensor:
        """W^-1 times each column of a (D, n) matrix; torch solves in float32 at least."""
        dtype, columns = columns.dtype, wide(columns.index_select(0, self.back))
        # `unitriangular` reads nothing of a matrix but what lies below its diagonal: of L, that is `lower`.
        columns = torch.linalg.solve_triangular(wide(self.lower), columns, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(wide(self._upper()), columns, upper=True).to(dtype)

    def identity(self) -> Tensor:
        return torch.eye(self.dim, dtype=self.lower.dtype, device=self.lower.device)

    def extra_repr(self) -> str:
        return f"{self.dim}, bias={self.bias is not None}"


class Permutation(Bijection):
    """x_i = z_order[i]: the coordinates (or the channels of an image) in another order; log-det 0.

    Args:
        order: a permutation of 0 ... D-1. `Permutation.reverse(D)` and `Permutation.random(D)` make
            the usual ones. Shapes are (batch, D) or (batch, D, height, width).

    Raises:
        ValueError: `order` is not a permutation.

    Example:
        >>> Permutation.reverse(3)(torch.tensor([[1.0, 2.0, 3.0]]))
        (tensor([[3., 2., 1.]]), tensor([0.]))
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Sequence[int] | Tensor):
        super().__init__()
        order = torch.as_tensor(order, dtype=torch.long)
        places = torch.arange(order.numel(), device=order.device)
        if order.dim() != 1 or not (order.is_meta or torch.equal(order.sort().values, places)):
            raise ValueError(f"expected each of 0 ... D-1 exactly once, got {order.tolist()}")
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    @classmethod
    def reverse(cls, dim: int) -> Permutation:
        """The last coordinate first."""
        return cls(torch.arange(dim - 1, -1, -1))

    @classmethod
    def random(cls, dim: int, generator: torch.Generator | None = None) -> Permutation:
        """An order drawn once, when the layer is made; it is saved with the layer."""
        return cls(torch.randperm(dim, generator=generator))

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return z.index_select(1, self.order), no_log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        return x.index_select(1, self.back), no_log_det(x)

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        super().check(values, context)
        check_event(values, (len(self.order), *values.shape[2:]), self)

    def extra_repr(self) -> str:
        order = self.order.tolist()
        return str(order if len(order) <= 16 else f"{len(order)} coordinates")


class ActNorm(Bijection):
    """x = exp(log_scale) z + shift, per coordinate (or per channel of an image), started from data.

    The first batch that `inverse` sees in training mode sets shift to its mean and scale to its
    standard deviation, so that the z it returns have mean 0 and variance 1. After that both are
    ordinary parameters. The flag `initialised` is saved and loaded with them, so a loaded layer
    does not start again.

    Only `inverse` carries data, so only `inverse` initialises. Before that, and in evaluation mode,
    the layer is the identity in both directions: sampling from an untrained flow shows the untrained
    flow, and does not fix the scale to that of noise. To normalise on the way forward, write
    `Inverse(ActNorm(D))`.

    A coordinate that is constant over the first batch keeps scale 1. Under torch.distributed the
    statistics are those of the batches of all processes together.

    Source: Kingma & Dhariwal, 2018, "Glow", section 3.1.

    Args:
        dim: D, the number of coordinates or of channels. Shapes are (batch, D) or
            (batch, D, height, width). log|det dx/dz| = height * width * sum(log_scale), (batch,).

    Example:
        >>> layer, data = ActNorm(2), 5 + 3 * torch.randn(1000, 2)
        >>> z, _ = layer.inverse(data)  # the first batch sets shift and scale
        >>> z.mean().abs().item() < 1e-5
        True
    """

    initialised: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.log_scale = nn.Parameter(torch.zeros(dim))
        self.shift = nn.Parameter(torch.zeros(dim))
        self.register_buffer("initialised", torch.tensor(False))
        # The same flag for Python, because reading a tensor would make a GPU wait at every call.
        self._initialised = False

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if prefix + "initialised" in state_dict:
            self._initialised = bool(state_dict[prefix + "initialised"])

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set scale and shift from x, (batch, D, ...), whatever they were before."""
        over = [axis for axis in range(x.dim()) if axis != 1]
        mean = _mean_over_processes(x.mean(over))
        variance = _mean_over_processes((x - _per_channel(mean, x)).square().mean(over))
        rounding = (16 * torch.finfo(x.dtype).eps * mean).square()
        scale = torch.where(variance > rounding, variance, 1.0).sqrt()
        self.shift.copy_(mean)
        self.log_scale.copy_(scale.log())
        self.initialised.fill_(True)
        self._initialised = True

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        log_scale = self.log_scale
        x = z * _per_channel(log_scale.exp(), z) + _per_channel(self.shift, z)
        return x, (sum_terms(log_scale) * math.prod(z.shape[2:])).expand(len(z))

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        super().check(values, context)
        check_event(values, (self.dim, *values.shape[2:]), self)

    def start(self, x: Tensor) -> None:
        """Initialise from x, (batch, D, ...), if it is the first batch in training mode."""
        if self.training and not self._initialised:
            self.initialise(x)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        self.start(x)
        log_scale = self.log_scale
        z = (x - _per_channel(self.shift, x)) * _per_channel((-log_scale).exp(), x)
        return z, (-sum_terms(log_scale) * math.prod(x.shape[2:])).expand(len(x))

    def extra_repr(self) -> str:
        return f"{self.dim}, initialised={self._initialised}"


def full_precision(tensor: Tensor) -> AbstractContextManager:
    """Inside it, matrix products keep the dtype of their factors, also under autocast.

    A net may compute in bfloat16. What acts on the values themselves may not: there it would lose 2 to 3
    digits at every layer, and inverse would no longer undo forward.
    """
    device = tensor.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    """(D,) -> (D, 1, ..., 1), to meet (batch, D, ...)."""
    return values.view(-1, *[1] * (like.dim() - 2))


def _mean_over_processes(values: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(values)
        values = values / torch.distributed.get_world_size()
    return values
