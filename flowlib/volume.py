"""Maps that keep volume, or scale all of it alike: log-determinants that do not depend on the point."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from flowlib.bijection import Bijection, no_log_det
from flowlib.scalar import Transformer

__all__ = ["AdditiveTransformer", "Henon"]


class AdditiveTransformer(Transformer):
    """x = z + t: with it a coupling layer is one of NICE, and keeps volume. The parameter is t.

    Source: Dinh et al., 2015, "NICE: Non-linear Independent Components Estimation", section 3.2.

    Example:
        >>> flow = RealNVP(2, transformer=AdditiveTransformer())
        >>> flow.bijection(torch.randn(3, 2))[1]
        tensor([0., 0., 0.])
    """

    count = 1

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        return z + params.squeeze(1), torch.zeros_like(z)

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        return x - params.squeeze(1), torch.zeros_like(x)


class Henon(Bijection):
    """x_1 = 1 - a z_1^2 + z_2 and x_2 = b z_1: the plane is bent to a parabola and laid down.

    log|det dx/dz| = log|b| everywhere: area is kept for b = 1 and b = -1, however far the map bends. For
    a = 1.4, b = 0.3 repeated use leads to a strange attractor.

    Source: Henon, 1976, "A two-dimensional mapping with a strange attractor".

    Args:
        a: how much it bends.
        b: the factor of area, not 0; with its sign, as b < 0 mirrors. Shapes are (batch, 2) in and out.

    Example:
        >>> Henon(a=1.4, b=1.0)(torch.tensor([[1.0, 0.5]]))
        (tensor([[0.1000, 1.0000]]), tensor([0.]))
    """

    def __init__(self, a: float = 1.4, b: float = 0.3):
        super().__init__()
        if b == 0:
            raise ValueError("Henon needs b other than 0: with b = 0 the plane falls onto a line")
        self.a, self.b, self.event_shape = a, b, (2,)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        z1, z2 = z.unbind(1)
        return torch.stack([1 - self.a * z1.square() + z2, self.b * z1], 1), self._log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        x1, x2 = x.unbind(1)
        z1 = x2 / self.b
        return torch.stack([z1, x1 - 1 + self.a * z1.square()], 1), -self._log_det(x)

    def _log_det(self, values: Tensor) -> Tensor:
        return no_log_det(values) + math.log(abs(self.b))

    def extra_repr(self) -> str:
        return f"a={self.a}, b={self.b}"
