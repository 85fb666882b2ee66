"""Nets that never stretch: no two points come out farther apart than L times their distance before.

The Lipschitz constant of a composition is at most the product of its parts'. So each linear map is scaled
down to a norm of L^(1/n), where there are n of them, and the activations between have slopes of at most 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import as_sizes, check_context, wide
from flowlib.nets import Activation, Widths, new_activation
from flowlib.recording import transformed
from flowlib.saving import Built
from flowlib.spectral import LipschitzConv2d, LipschitzLinear, LipSwish, check_slopes, with_slope

__all__ = ["LipschitzConvNet", "LipschitzMLP", "Net", "Pull"]

Pull = Callable[[Tensor], Tensor]  # rows, (batch, m, *event) -> rows J


class Net:
    """g(z, context) and the products of its Jacobian, for one use: a search calls it again and again, and the
    weights are scaled only once. Results are float32 at least.

    Args:
        function: g(z, context) -> a tensor shaped as z, (batch, *event).

    Example:
        >>> g, pull = Net(lambda z, context: z.square()).linearise(torch.tensor([[1.0, 2.0]]))
        >>> pull(torch.eye(2)[None]).detach()
        tensor([[[2., 0.],
                 [0., 4.]]])
    """

    def __init__(self, function: Callable[[Tensor, Tensor | None], Tensor]):
        self.g = function

    def __call__(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return wide(self.g(z, context))

    def linearise(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Pull]:
        """g(z), (batch, *event), and the product with its Jacobian J from the left: rows -> rows J.

        Rows have shape (batch, m, *event), or (1, m, *event) if they are the same for all points; unit rows
        give J itself. What comes out can be differentiated like anything else.
        """
        if transformed():
            raise RuntimeError(
                "inside torch.func (vmap, grad, jacrev, jvp) only a LipschitzMLP knows its Jacobian: "
                "use one, or torch.autograd"
            )
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            place = z if z.requires_grad else z.detach().requires_grad_()
            value = self(place, context)

        def pull(rows: Tensor) -> Tensor:
            products = [
                torch.autograd.grad(
                    *(value, place, row.to(value.dtype)),
                    retain_graph=True,
                    create_graph=torch.is_grad_enabled(),
                    allow_unused=True,
                    materialize_grads=True,
                )[0]
                for row in rows.expand(len(z), *rows.shape[1:]).unbind(1)
            ]
            return torch.stack(products, 1)

        return value if again else value.detach(), pull


class LipschitzMLP(Built, nn.Module):
    """A perceptron g(z, context), (batch, D) -> (batch, D), with Lipschitz constant at most L in z.

    Args:
        dim: D.
        hidden: the width of each hidden layer, or of the only one.
        lipschitz: L. Below 1, z + g(z) can be inverted.
        context: number of context features, added by a linear map of their own, which is not bounded.
        activation: makes the activation, of slope at most 1: `LipSwish`, `nn.Tanh`, `nn.ELU`, `nn.ReLU`.
        rounds: of power iteration in training mode.

    Raises:
        ValueError: a bound that is not positive, an activation steeper than 1; a wrong context.

    Source: Behrmann et al., 2019, section 3; Chen et al., 2019.

    Example:
        >>> net, z, y = LipschitzMLP(2, lipschitz=0.5), torch.randn(2), torch.randn(2)
        >>> net.eval()(z[None]).shape
        torch.Size([1, 2])
        >>> (net(z[None]) - net(y[None])).norm() <= 0.5 * (z - y).norm()
        tensor(True)
    """

    def __init__(
        self,
        dim: int,
        hidden: Widths = (64, 64),
        *,
        lipschitz: float = 0.9,
        context: int = 0,
        activation: Activation = LipSwish,
        rounds: int = 1,
    ):
        super().__init__()
        widths = (dim, *as_sizes(hidden), dim)
        each = _check_bound(lipschitz) ** (1 / (len(widths) - 1))
        self.shape, self.lipschitz, self.context = (dim,), lipschitz, context
        self.layers = nn.ModuleList(LipschitzLinear(*pair, each, rounds=rounds) for pair in pairwise(widths))
        self.activations = nn.ModuleList(new_activation(activation) for _ in widths[1:-1])
        self.condition = nn.Linear(context, widths[1], bias=False) if context else None
        check_slopes(self.activations)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.function()(z, context).to(z.dtype)

    def function(self) -> Net:
        """g with the weights of now, scaled once."""
        return _ScaledMLP(self)

    def linears(self) -> list[LipschitzLinear]:
        """The linear maps, from the inputs on."""
        return [layer for layer in self.layers if isinstance(layer, LipschitzLinear)]


class _ScaledMLP(Net):
    """Rows go backwards through the layers, by each weight and each slope: less work than autograd's."""

    def __init__(self, net: LipschitzMLP):
        self.net = net
        self.weights = [(layer.scaled(), wide(layer.bias)) for layer in net.linears()]

    def __call__(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.first(z, context)
        for activation, weights in zip(self.net.activations, self.weights[1:], strict=True):
            h = F.linear(activation(h), *weights)
        return h

    def linearise(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Pull]:
        h, slopes = self.first(z, context), []
        for activation, weights in zip(self.net.activations, self.weights[1:], strict=True):
            h, slope = with_slope(activation, h)
            slopes.append(slope.unsqueeze(1))
            h = F.linear(h, *weights)

        def pull(rows: Tensor) -> Tensor:
            for slope, (weight, _) in zip(reversed(slopes), reversed(self.weights[1:]), strict=True):
                rows = (rows @ weight) * slope
            return rows @ self.weights[0][0]

        return h, pull

    def first(self, z: Tensor, context: Tensor | None) -> Tensor:
        check_context(context, self.net.context, len(z), self.net)
        h = F.linear(wide(z), *self.weights[0])
        if self.net.condition is None or context is None:
            return h
        return h + F.linear(wide(context), wide(self.net.condition.weight))


class LipschitzConvNet(Built, nn.Module):
    """Convolutions 3 x 3, 1 x 1, ..., 3 x 3 with Lipschitz constant at most L: images to images of one shape.

    Args:
        shape: (C, H, W).
        hidden: the number of channels of each hidden layer, at least one.
        lipschitz, activation, rounds: as for `LipschitzMLP`.

    Source: Behrmann et al., 2019, section 5.

    Example:
        >>> LipschitzConvNet((2, 4, 4), 8)(torch.randn(5, 2, 4, 4)).shape
        torch.Size([5, 2, 4, 4])
    """

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Widths = (32, 32),
        *,
        lipschitz: float = 0.9,
        activation: Activation = LipSwish,
        rounds: int = 1,
    ):
        super().__init__()
        self.shape, self.lipschitz = as_sizes(shape), lipschitz
        channels, *size = self.shape
        widths = (channels, *as_sizes(hidden), channels)
        count = len(widths) - 1
        each = _check_bound(lipschitz) ** (1 / count)
        self.layers = nn.ModuleList(
            LipschitzConv2d((a, *size), b, 3 if place in (0, count - 1) else 1, each, rounds=rounds)
            for place, (a, b) in enumerate(pairwise(widths))
        )
        self.activations = nn.ModuleList(new_activation(activation) for _ in widths[1:-1])
        check_slopes(self.activations)

    def forward(self, x: Tensor) -> Tensor:
        return self.function()(x).to(x.dtype)

    def function(self) -> Net:
        """g with the weights of now, scaled once."""
        convs = [layer for layer in self.layers if isinstance(layer, LipschitzConv2d)]
        weights = [(conv.scaled(), None if conv.bias is None else wide(conv.bias)) for conv in convs]
        befores = [nn.Identity(), *self.activations]

        def g(z: Tensor, context: Tensor | None = None) -> Tensor:
            h = wide(z)
            for conv, before, (weight, bias) in zip(convs, befores, weights, strict=True):
                h = F.conv2d(before(h), weight, bias, padding=conv.margin)
            return h

        return Net(g)


def _check_bound(lipschitz: float) -> float:
    if not lipschitz > 0:
        raise ValueError(f"a Lipschitz constant is a positive number, got {lipschitz}")
    return lipschitz
