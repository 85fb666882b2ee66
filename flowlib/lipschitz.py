"""Nets that never stretch: no two points come out farther apart than L times their distance before.

The Lipschitz constant of a composition is at most the product of its parts'. So each linear map is scaled
down to a norm of L^(1/n), where there are n of them, and the activations between have slopes of at most 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import as_sizes, check_context, wide
from flowlib.gradients import first_only
from flowlib.nets import Activation, Widths, new_activation
from flowlib.recording import transformed
from flowlib.saving import Built

__all__ = [
    "LipSwish",
    "LipschitzConv2d",
    "LipschitzConvNet",
    "LipschitzLinear",
    "LipschitzMLP",
    "Net",
    "Pull",
]

Pull = Callable[[Tensor], Tensor]  # rows, (batch, m, *event) -> rows J
ONCE = (
    "in training mode the norm of a weight is u^T W v with vectors u and v that are held: it has a first "
    "derivative only. Call eval() first, where a LipschitzLinear takes the exact norm"
)


class Net:
    """g(z, context) and the products of its Jacobian, for one use: a search calls it again and again, and the
    weights are scaled only once. Results are float32 at least.

    Args:
        function: g(z, context) -> a tensor shaped as z, (batch, *event).

    Example:
        >>> g, pull = Net(lambda z, context: z.square()).linearise(torch.tensor([[1.0, 2.0]]))
        >>> pull(torch.eye(2)[None])
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


class LipSwish(Built, nn.Module):
    """x sigmoid(b x) / 1.1, a smooth bend whose slope lies between -0.1 and 1, for every b > 0.

    A ReLU has slope 0 or 1 and second derivative 0: the log-determinant of a residual layer, made of
    slopes, then gives a weight no gradient by way of the kinks.

    Args:
        beta: where the learned b = softplus(raw) starts.

    Source: Chen et al., 2019, "Residual Flows for Invertible Generative Modeling", section 3.3.

    Example:
        >>> LipSwish()(torch.tensor([-1.0, 0.0, 1.0])).shape
        torch.Size([3])
    """

    def __init__(self, beta: float = 1.0):
        super().__init__()
        self.raw = nn.Parameter(torch.full((), math.log(math.expm1(beta))))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x * F.softplus(self.raw)) / 1.1

    def with_slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The value and the derivative, each shaped as x."""
        scaled = x * F.softplus(wide(self.raw))
        gate = torch.sigmoid(scaled)
        return x * gate / 1.1, gate * (1 + scaled * (1 - gate)) / 1.1


class LipschitzLinear(nn.Linear):
    """W x + b with |W x - W y| <= lipschitz |x - y|: W is the weight, scaled down where its norm is larger.

    The norm sigma, the largest singular value, is found by power iteration in training mode: v = W^T u / |.|,
    u = W v / |.|, again and again, until u^T W v is sigma. A step changes a weight little, so u is kept and a
    few rounds a step follow it. They approach sigma from below: what they lack, the scaled norm exceeds the
    bound by. In evaluation mode the norm is exact.

    Args:
        inputs, outputs: numbers of features.
        lipschitz: the bound.
        bias: whether b is learned or left out.
        rounds: of power iteration for each use in training mode.

    Source: Miyato et al., 2018, "Spectral Normalization for Generative Adversarial Networks", section 2.1;
    scaled only where sigma > lipschitz as in Behrmann et al., 2019, "Invertible Residual Networks", eq. 8.

    Example:
        >>> layer = LipschitzLinear(3, 5, lipschitz=0.5).eval()
        >>> torch.linalg.matrix_norm(layer.scaled(), 2) < 0.5001
        tensor(True)
    """

    u: Tensor

    def __init__(
        self, inputs: int, outputs: int, lipschitz: float = 1.0, *, bias: bool = True, rounds: int = 1
    ):
        super().__init__(inputs, outputs, bias)
        self.lipschitz, self.rounds = lipschitz, rounds
        self.register_buffer("u", torch.randn(outputs))
        _follow(self.u, 50, self._there, self._back)

    def scaled(self) -> Tensor:
        """The weight that is used, (outputs, inputs), in float32 at least."""
        weight = wide(self.weight)
        return weight * (self.lipschitz / self.norm().clamp(min=self.lipschitz))

    def norm(self) -> Tensor:
        """The largest singular value of the weight as stored: from below in training mode, else exact."""
        if not self.training:
            return torch.linalg.matrix_norm(wide(self.weight), 2)
        v = _follow(self.u, self.rounds, self._there, self._back)
        return first_only((wide(self.u).clone() * self._there(v)).sum(), ONCE)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.scaled().to(x.dtype), self.bias)

    def _there(self, v: Tensor) -> Tensor:
        return wide(self.weight) @ v

    def _back(self, u: Tensor) -> Tensor:
        return u @ wide(self.weight)


@torch.no_grad()
def _follow(u: Tensor, rounds: int, there: Callable, back: Callable) -> Tensor:
    """Power iteration from u, which is moved on in place; returns v."""
    left = wide(u)
    for _ in range(max(rounds, 1)):
        v = _unit(back(left))
        left = _unit(there(v))
    u.copy_(left)
    return v


def _unit(vector: Tensor) -> Tensor:
    return F.normalize(vector.flatten(), dim=0).view(vector.shape)


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
        _check_slopes(self.activations)

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
            h, slope = _with_slope(activation, h)
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


class LipschitzConv2d(nn.Conv2d):
    """A convolution of images of one size, zeros around them, whose norm as a linear map is at most a bound.

    That map is far too large to be written down, but its power iteration needs only convolutions there and
    transposed ones back. The norm of the kernel alone, read as a matrix, would be another number: for a
    3 x 3 kernel up to three times less.

    Args:
        shape: (C, H, W) of the images.
        outputs: number of channels that come out.
        size: of the kernel, an odd number.
        lipschitz: the bound.
        rounds: of power iteration in training mode; in evaluation mode `exact` more are added.

    Source: Behrmann et al., 2019, section 3.1; Gouk et al., 2021, "Regularisation of Neural Networks by
    Enforcing Lipschitz Continuity".

    Example:
        >>> LipschitzConv2d((3, 8, 8), 5)(torch.randn(2, 3, 8, 8)).shape
        torch.Size([2, 5, 8, 8])
    """

    u: Tensor
    exact = 100

    def __init__(
        self, shape: Sequence[int], outputs: int, size: int = 3, lipschitz: float = 1.0, *, rounds: int = 1
    ):
        channels, height, width = shape
        super().__init__(channels, outputs, size, padding=size // 2)
        self.margin = size // 2
        self.lipschitz, self.rounds = lipschitz, rounds
        self.register_buffer("u", torch.randn(1, outputs, height, width))
        _follow(self.u, 50, self._there, self._back)

    def scaled(self) -> Tensor:
        """The kernel that is used, in float32 at least."""
        return wide(self.weight) * (self.lipschitz / self.norm().clamp(min=self.lipschitz))

    def norm(self) -> Tensor:
        """The largest singular value of the convolution, from below."""
        u = self.u if self.training else self.u.clone()
        v = _follow(u, self.rounds if self.training else self.exact, self._there, self._back)
        return first_only((wide(u).clone() * self._there(v)).sum(), ONCE)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scaled().to(x.dtype), self.bias, padding=self.margin)

    def _there(self, v: Tensor) -> Tensor:
        return F.conv2d(v, wide(self.weight), padding=self.margin)

    def _back(self, u: Tensor) -> Tensor:
        return F.conv_transpose2d(u, wide(self.weight), padding=self.margin)


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
        _check_slopes(self.activations)

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


def _with_slope(activation: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """An activation and its derivative, element by element."""
    if isinstance(activation, LipSwish):
        return activation.with_slope(x)
    value, slope, *_ = torch.func.jvp(activation, (x,), (torch.ones_like(x),))
    return value, slope


def _check_bound(lipschitz: float) -> float:
    if not lipschitz > 0:
        raise ValueError(f"a Lipschitz constant is a positive number, got {lipschitz}")
    return lipschitz


@torch.no_grad()
def _check_slopes(activations: nn.ModuleList) -> None:
    """Raise ValueError unless an activation's slope stays within -1 and 1: tried from -20 to 20."""
    for activation in activations:
        if any(parameter.is_meta for parameter in activation.parameters()):
            continue
        x = torch.linspace(-20.0, 20.0, 2001, device="cpu")
        steepest = float((activation(x).diff() / x.diff()).abs().max())
        if steepest > 1.001:
            raise ValueError(
                "an activation of a Lipschitz net must have slopes within -1 and 1; "
                f"{type(activation).__name__} reaches {steepest:.2f}: take LipSwish, ELU, Tanh or ReLU"
            )
