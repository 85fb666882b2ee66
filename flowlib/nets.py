"""Conditioners: the networks that look at one part of the input and give the parameters for the rest.

A conditioner may be any network, since a flow never inverts it. Unless told otherwise they start
with a last layer of zeros: every parameter is then 0, every transformer the identity, and training
starts from the base distribution instead of from a random map.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import as_sizes, check_context, fix
from flowlib.recording import transformed
from flowlib.saving import Built

__all__ = [
    "MLP", "Activation", "ConvNet", "MaskedLinear", "MaskedMLP", "ResidualMLP", "Widths",
    "check_elementwise", "cos_and_sin", "join_context", "new_activation", "relu_in_place", "zero_initialised",
]  # fmt: skip

Activation = Callable[[], nn.Module]
Widths = int | Sequence[int]  # of the hidden layers; a number stands for one layer of that width


def new_activation(make: Activation) -> nn.Module:
    """What `make` makes, such as `nn.ReLU` or `lambda: nn.LeakyReLU(0.2)`.

    Raises:
        TypeError: it is no such maker, as `torch.relu`, `nn.ReLU()` and "relu" are none, or makes no module.
    """
    made: object = None
    if not isinstance(make, nn.Module):
        with suppress(TypeError):  # not callable, or a function of a tensor
            made = make()
    if not isinstance(made, nn.Module):
        raise TypeError(
            "activation must make a module each time it is called, such as nn.ReLU (not nn.ReLU()) "
            f"or lambda: nn.LeakyReLU(0.2); got {make!r}" + (f", which makes {made!r}" if made else "")
        )
    return made


class MLP(Built, nn.Module):
    """A multi-layer perceptron: (batch, inputs) and (batch, context) -> (batch, outputs).

    Args:
        inputs, outputs: numbers of features.
        hidden: the width of each hidden layer, or of the only one; empty for a linear map.
        context: number of context features, joined to the input; 0 for none.
        activation: makes the activation, for example `nn.ReLU` or `nn.Tanh`.
        zero_start: whether the last layer starts with zeros, or with torch's random weights.
        period: of the inputs, if they are angles: then the first layer is given their cosines and sines,
            and the net cannot tell where a circle was cut. The context stays as it is.

    Raises:
        ValueError: a context of the wrong shape, one that is missing, or one too many.

    Example:
        >>> MLP(2, 6, hidden=(64, 64), context=3)(torch.randn(5, 2), torch.randn(5, 3)).shape
        torch.Size([5, 6])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        activation: Activation = nn.ReLU,
        zero_start: bool = True,
        period: float | None = None,
    ):
        super().__init__()
        self.context, self.period = context, period
        features = inputs if period is None else 2 * inputs
        *inner, last = pairwise([features + context, *as_sizes(hidden), outputs])
        layers = [part for sizes in inner for part in (nn.Linear(*sizes), new_activation(activation))]
        self.layers = nn.Sequential(*layers, nn.Linear(*last))
        if zero_start:
            zero_initialised(self.layers[-1])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = x if self.period is None else cos_and_sin(x, self.period, 1)
        return self.layers(join_context(x, context, self))


class ResidualMLP(Built, nn.Module):
    """A perceptron whose hidden layers are residual blocks h + W2 a(W1 a(h)) (He et al., 2016, "Identity
    Mappings in Deep Residual Networks"): deeper nets that still train.

    Args:
        inputs, outputs, context, activation, zero_start: as for `MLP`.
        hidden: one width for each block; all the same, for a block adds to its own input.

    Raises:
        ValueError: `hidden` is empty or its widths differ; a wrong context.

    Example:
        >>> ResidualMLP(2, 6, hidden=(64, 64, 64))(torch.randn(5, 2)).shape
        torch.Size([5, 6])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        activation: Activation = nn.ReLU,
        zero_start: bool = True,
    ):
        super().__init__()
        hidden = as_sizes(hidden)
        if len(set(hidden)) != 1:
            raise ValueError(f"ResidualMLP needs blocks of one width, such as hidden=(64, 64); got {hidden}")
        self.context = context
        width = hidden[0]
        self.first = nn.Linear(inputs + context, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                new_activation(activation),
                nn.Linear(width, width),
                new_activation(activation),
                nn.Linear(width, width),
            )
            for _ in hidden
        )
        self.last = nn.Sequential(new_activation(activation), nn.Linear(width, outputs))
        if zero_start:
            zero_initialised(self.last[-1])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.first(join_context(x, context, self))
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)


def relu_in_place() -> nn.Module:
    """A ReLU that overwrites its input, which nothing needs where it follows a convolution: it saves memory
    and, on a CPU, 3 % of a Glow's time."""
    return nn.ReLU(inplace=True)


class ConvNet(Built, nn.Module):
    """A small convolutional net: (batch, inputs, H, W) and (batch, context) -> (batch, outputs, H, W).

    The first and the last convolution are 3 x 3, those between 1 x 1, as in Glow (Kingma and Dhariwal,
    2018, section B). A context is mapped to one number for each first hidden channel, the same at
    every pixel.

    Args:
        inputs, outputs: numbers of channels.
        hidden: the number of channels of each hidden layer, at least one.
        context, activation: as for `MLP`.

    Raises:
        ValueError: `hidden` is empty; a wrong context.

    Example:
        >>> ConvNet(3, 12, hidden=(32, 32))(torch.randn(5, 3, 8, 8)).shape
        torch.Size([5, 12, 8, 8])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        activation: Activation = relu_in_place,
    ):
        super().__init__()
        hidden = as_sizes(hidden)
        if not hidden:
            raise ValueError("ConvNet needs at least one hidden layer, such as hidden=(64, 64); got none")
        self.context = context
        self.first = nn.Conv2d(inputs, hidden[0], 3, padding=1)
        self.shift = nn.Linear(context, hidden[0]) if context else None
        middle = [
            part for sizes in pairwise(hidden) for part in (nn.Conv2d(*sizes, 1), new_activation(activation))
        ]
        last = zero_initialised(nn.Conv2d(hidden[-1], outputs, 3, padding=1))
        self.rest = nn.Sequential(new_activation(activation), *middle, last)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        check_context(context, self.context, len(x), self)
        # Convolutions are faster with channels innermost on a CPU (training by an eighth), and on tensor
        # cores, which autocast uses. (vmap knows no such order.)
        fast = x.device.type == "cpu" or torch.is_autocast_enabled(x.device.type)
        if fast and not transformed():
            x = x.contiguous(memory_format=torch.channels_last)
        h = self.first(x)
        if self.shift is not None:
            h = h + self.shift(context)[:, :, None, None]
        return self.rest(h).contiguous()


class MaskedLinear(nn.Linear):
    """A linear layer in which output i sees input j only where mask[i, j] is True.

    Args:
        mask: boolean, (outputs, inputs).

    Example:
        >>> layer = MaskedLinear(torch.tensor([[False, False], [True, False]]))
        >>> layer(torch.tensor([[0.0, 1.0]])).equal(layer(torch.tensor([[0.0, 9.0]])))
        True
    """

    mask: Tensor

    def __init__(self, mask: Tensor):
        super().__init__(mask.shape[1], mask.shape[0])
        fix(self, mask=mask.to(self.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.mask * self.weight, self.bias)


class MaskedMLP(Built, nn.Module):
    """MADE: one perceptron that gives the parameters of every p(x_i | x_<i, context) in one pass.

    Germain et al., 2015, "MADE: Masked Autoencoder for Distribution Estimation", section 4. Every unit
    has a degree, the number of inputs (counted in `order`) that it may see. The input at place i
    (from 0) can be seen by hidden units of degree > i; a hidden unit sees units of its own degree or
    less; the outputs at place i see hidden units of degree <= i, hence only the inputs before them.
    The context enters every unit of the first layer, unmasked.

    With fewer than D - 1 units (D if there is a context) a layer has none for some degrees: then some
    p(x_i | x_<i) miss the last of the x_<i. With D = 8 and 4 units x_8 never sees x_7. A warning says so.

    Hidden units are sorted by degree, so each masked weight is block lower-triangular. This costs
    nothing here and is what makes the fast inversion in `MaskedAutoregressive` possible.

    Args:
        dim: number of variables D.
        count: parameters for each variable.
        hidden: the width of each hidden layer, at least one.
        order: order[i] is the variable at place i; (0, ..., D-1) if None.
        activation: as for `MLP`, but it must act on each number alone: LayerNorm or Softmax would let
            every variable see all others.
        context, zero_start, period: as for `MLP`.

    Shapes: x (batch, D), context (batch, context) -> (batch, count, D).

    Raises:
        ValueError: `order` is not a permutation, `hidden` is empty, the activation is not elementwise; a
            wrong context.

    Warns:
        UserWarning: a hidden layer has too few units for D variables.

    Example:
        >>> MaskedMLP(dim=3, count=2)(torch.randn(5, 3)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(
        self,
        dim: int,
        count: int,
        hidden: Widths = (64, 64),
        *,
        order: Sequence[int] | None = None,
        context: int = 0,
        activation: Activation = nn.ReLU,
        zero_start: bool = True,
        period: float | None = None,
    ):
        super().__init__()
        order = list(range(dim)) if order is None else [int(variable) for variable in order]
        if sorted(order) != list(range(dim)):
            raise ValueError(f"order must hold each of 0 ... {dim - 1} once, got {order}")
        hidden = as_sizes(hidden)
        if not hidden:
            raise ValueError("MaskedMLP needs at least one hidden layer, such as hidden=(64, 64); got none")
        self.dim, self.count, self.order, self.context, self.period = dim, count, order, context, period
        self.features = 1 if period is None else 2  # of each variable
        # Without context a unit of degree 0 is a constant, which the biases give already.
        lowest = 0 if context or dim == 1 else 1
        if min(hidden) < dim - lowest:
            warnings.warn(
                f"a masked net with a hidden layer of {min(hidden)} units for {dim} variables does not model "
                "every p(x_i | x_<i): some variables never see the ones just before them. Make hidden layers "
                f"at least {dim - lowest} wide",
                stacklevel=2,
            )
        with torch.device("cpu"):  # also where a model is built without memory, on "meta"
            self.degrees = [
                torch.tensor([lowest + unit * (dim - lowest) // width for unit in range(width)])
                for width in hidden
            ]
            place = torch.tensor(order).argsort()
            first = torch.cat(
                [self.degrees[0][:, None] > place] * self.features
                + [torch.ones(hidden[0], context, dtype=torch.bool)],
                1,
            )
            inner = [after[:, None] >= before for before, after in pairwise(self.degrees)]
            last = (place[:, None] >= self.degrees[-1]).repeat(count, 1)
        self.layers = nn.ModuleList(MaskedLinear(mask) for mask in (first, *inner, last))
        if zero_start:
            zero_initialised(self.layers[-1])
        self.activation = new_activation(activation)
        check_elementwise(self.activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        h = join_context(x if self.period is None else cos_and_sin(x, self.period, 1), context, self)
        *inner, last = self.layers
        for layer in inner:
            h = self.activation(layer(h))
        return last(h).view(len(x), self.count, self.dim)

    def linears(self) -> list[MaskedLinear]:
        """The layers, from the inputs on."""
        return [layer for layer in self.layers if isinstance(layer, MaskedLinear)]


@torch.no_grad()
def check_elementwise(activation: nn.Module) -> None:
    """Raise ValueError unless an activation does to each number of a tensor, of any shape, the same.

    It is tried on a few numbers, together and one by one, with parameters that all differ.
    """
    tried = copy.deepcopy(activation).eval()
    if any(parameter.is_meta for parameter in tried.parameters()):
        return
    for parameter in tried.parameters():
        parameter.copy_(torch.linspace(0.1, 0.9, parameter.numel()).view(parameter.shape))
    values = torch.linspace(-2.0, 2.0, 15, device="cpu").view(3, 5)
    try:
        together = tried(values.clone())
        alone = torch.cat([tried(value.clone().view(1, 1)) for value in values.flatten()])
        elementwise = together.shape == values.shape and torch.allclose(together.flatten(), alone.flatten())
    except (RuntimeError, ValueError, IndexError) as error:
        elementwise, why = False, f" ({str(error).splitlines()[0]})"
    else:
        why = ""
    if not elementwise:
        raise ValueError(
            f"the activation of a masked net must act on each number alone, whatever the shape; "
            f"{type(activation).__name__} does not{why}: use one such as nn.ReLU, nn.Tanh or nn.GELU"
        )


def zero_initialised(layer: nn.Module) -> nn.Module:
    """Set a layer's weight and bias to 0, so that a flow starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def cos_and_sin(angles: Tensor, period: float, dim: int) -> Tensor:
    """The cosines, then the sines, of angles with this period: twice as many along `dim`."""
    turned = angles * (2 * math.pi / period)
    return torch.cat([turned.cos(), turned.sin()], dim)


def join_context(x: Tensor, context: Tensor | None, net: MLP | ResidualMLP | MaskedMLP) -> Tensor:
    """(batch, inputs) and (batch, context) -> (batch, inputs + context); raise if net.context differs."""
    check_context(context, net.context, len(x), net)
    return x if context is None else torch.cat([x, context], 1)
