"""Parts of a net that do not stretch: linear maps scaled down by their norm, and activations of slope one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import wide
from flowlib.gradients import first_only
from flowlib.recording import transformed
from flowlib.saving import Built

__all__ = ["LipSwish", "LipschitzConv2d", "LipschitzLinear", "check_slopes", "with_slope"]

ONCE = (
    "in training mode the norm of a weight is u^T W v with vectors u and v that are held: it has a first "
    "derivative only. Call eval() first, where a LipschitzLinear takes the exact norm"
)


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


def with_slope(activation: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """An activation and its derivative, element by element."""
    if isinstance(activation, LipSwish):
        return activation.with_slope(x)
    if transformed():
        value, product, *_ = torch.func.vjp(activation, x)
        return value, product(torch.ones_like(value))[0]
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        place = x if x.requires_grad else x.detach().requires_grad_()
        value = activation(place)
        (slope,) = torch.autograd.grad(value.sum(), place, create_graph=again)
    return value if again else value.detach(), slope


@torch.no_grad()
def check_slopes(activations: nn.ModuleList) -> None:
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
