"""The named models of the course.

Each is a Flow on a standard normal base. Untrained, Glow and CNF are the base itself, because their
nets end in a layer of zeros. The others start near it, from random nets: they learn faster so (1,000
steps: RealNVP ends 0.12 nats higher on two moons and 0.28 on Ames, NSF 0.03 on two moons). Of more than
`RANDOM_LAYERS` coupling or autoregressive layers each starts the closer to the identity the more there are,
because random layers multiply: 64 of them would send log_prob to -1e17.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.distributions import Distribution

from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal, UniformAngles
from flowlib.bijection import Bijection, Chain, Inverse
from flowlib.continuous import Continuous, VelocityMLP
from flowlib.coupling import Coupling, make_mask
from flowlib.flow import Flow
from flowlib.image import glow_layers
from flowlib.lipschitz import LipschitzMLP
from flowlib.nets import MLP, Activation, Widths
from flowlib.planar import Planar, Radial
from flowlib.residual import Residual
from flowlib.scalar import AffineToZ, Transformer
from flowlib.spectral import LipSwish
from flowlib.splines import SplineTransformer

__all__ = [
    "CNF", "IAF", "MAF", "NSF", "Glow", "PlanarFlow", "RadialFlow", "RealNVP", "ResidualFlow",
    "autoregressive_layers", "couplings",
]  # fmt: skip

RANDOM_LAYERS = 8


class PlanarFlow(Flow):
    """Planar layers, one after another: each bends space along one hyperplane.

    One direction has a formula and the other needs a root for every point and layer, so choose.

    Args:
        dim: number of variables D, 1 included.
        layers: number of planar layers.
        cheap: "sample" puts the formula on z -> x, which variational inference needs; "density" puts
            it on x -> z (each layer is an `Inverse(Planar)`), which fitting to data needs. The two are
            different families of densities.

    Shapes: x (batch, D).

    Raises:
        ValueError: `cheap` is neither of the two.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows".

    Example:
        >>> PlanarFlow(2, layers=4).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(self, dim: int, layers: int = 16, cheap: str = "sample"):
        if cheap not in ("sample", "density"):
            raise ValueError(f"cheap must be 'sample' or 'density', got {cheap!r}")
        steps: list[Bijection] = [Planar(dim) for _ in range(layers)]
        if cheap == "density":
            steps = [Inverse(step) for step in steps]
        super().__init__(Chain(*steps), StandardNormal((dim,)))


class RadialFlow(Flow):
    """Radial layers, one after another: each pulls space to a point or pushes it away.

    Both directions have a formula.

    Args:
        dim: number of variables D, 1 included.
        layers: number of radial layers.

    Shapes: x (batch, D).

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows".

    Example:
        >>> RadialFlow(2, layers=4).log_prob(torch.randn(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, dim: int, layers: int = 16):
        super().__init__(Chain(*(Radial(dim) for _ in range(layers))), StandardNormal((dim,)))


class RealNVP(Flow):
    """Affine coupling layers; both directions cost one pass.

    Each layer reads its formula from x to z, z = x e^s + t with |s| < 2 (`AffineToZ`).

    Args:
        dim: number of variables D, at least 2.
        layers: number of coupling layers.
        hidden: widths of the hidden layers of each conditioner.
        context: number of context features.
        activation: of the conditioners.
        transformer: another scalar function than the affine one, such as `LogisticMixtureTransformer()`.
        base: N(0, I) if None, and `UniformAngles` where the transformer is circular.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: dim is 1: a coupling needs one variable to tell how another moves.

    Source: Dinh et al., 2017, "Density estimation using Real NVP".

    Example:
        >>> flow = RealNVP(2, context=3)
        >>> flow.log_prob(torch.randn(5, 2), torch.randn(5, 3)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        dim: int,
        layers: int = 8,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        activation: Activation = nn.ReLU,
        transformer: Transformer | None = None,
        base: nn.Module | Distribution | None = None,
    ):
        transformer = transformer or AffineToZ()
        steps = couplings(dim, layers, hidden, context, activation, transformer)
        super().__init__(steps, _usual_base(dim, transformer) if base is None else base)


class NSF(Flow):
    """Neural spline flow: coupling layers with rational-quadratic splines.

    The splines act on [-bound, bound] and are the identity outside: standardise the data first.

    Args:
        dim, layers, hidden, context, activation, base: as for `RealNVP`.
        bins: bins of each spline.
        bound: half the width of the interval on which the splines act.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: dim is 1: a coupling needs one variable to tell how another moves.

    Source: Durkan et al., 2019, "Neural Spline Flows", RQ-NSF (C).

    Example:
        >>> NSF(2, bins=16, bound=4.0).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        dim: int,
        layers: int = 4,
        hidden: Widths = (64, 64),
        *,
        bins: int = 8,
        context: int = 0,
        activation: Activation = nn.ReLU,
        bound: float = 5.0,
        base: nn.Module | Distribution | None = None,
    ):
        transformer = SplineTransformer(bins, bound=bound)
        steps = couplings(dim, layers, hidden, context, activation, transformer)
        super().__init__(steps, _usual_base(dim, transformer) if base is None else base)


class _Autoregressive(Flow):
    """What `MAF` and `IAF` share: the same layers, read one way or the other."""

    def __init__(
        self,
        dim: int,
        layers: int = 5,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        transformer: str | Transformer = "affine",
        activation: Activation = nn.ReLU,
        base: nn.Module | Distribution | None = None,
    ):
        steps = autoregressive_layers(dim, layers, hidden, context, transformer, activation)
        if base is None:
            base = _usual_base(dim, steps[0].transformer)
        super().__init__(Chain(*map(self._read, steps)), base)

    @staticmethod
    def _read(layer: MaskedAutoregressive) -> Bijection:
        raise NotImplementedError


class MAF(_Autoregressive):
    """Masked autoregressive flow: log_prob is one pass, a sample takes D steps (of one pass in all).

    Every second layer takes the variables in the opposite order.

    Args:
        dim: number of variables D, 1 included.
        layers, hidden, context, activation, base: as for `RealNVP`.
        transformer: "affine", "spline", or any `Transformer`.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: an unknown transformer.

    Source: Papamakarios et al., 2017, "Masked Autoregressive Flow for Density Estimation".

    Example:
        >>> MAF(3, transformer="spline").log_prob(torch.randn(5, 3)).shape
        torch.Size([5])
    """

    @staticmethod
    def _read(layer: MaskedAutoregressive) -> Bijection:
        return layer


class IAF(_Autoregressive):
    """Inverse autoregressive flow: a sample is one pass, log_prob takes D steps (of one pass in all).

    The layers of `MAF` read backwards; arguments, shapes and errors as there.

    Source: Kingma et al., 2016, "Improving Variational Inference with Inverse Autoregressive Flow".

    Example:
        >>> IAF(3).sample(5).shape
        torch.Size([5, 3])
    """

    @staticmethod
    def _read(layer: MaskedAutoregressive) -> Bijection:
        return Inverse(layer)


class Glow(Flow):
    """Multi-scale flow for images: ActNorm, 1 x 1 convolutions and affine couplings.

    The latents of all levels together have the shape of the image. The first batch in training mode
    sets the scales of the ActNorm layers.

    Args:
        shape: (C, H, W) of the images; H and W divisible by 2^levels.
        levels: how often to squeeze; half of the channels leave after each level but the last.
        steps: steps of (ActNorm, 1 x 1 convolution, coupling) in each level.
        hidden: channels of the hidden layers of each coupling's convolutional net.
        context: number of context features, such as 10 for a one-hot class.
        checkpointed: compute each step again in the backward pass, for less memory.

    Shapes: x (batch, C, H, W), context (batch, context).

    Raises:
        ValueError: the images cannot be halved `levels` times.

    Source: Kingma & Dhariwal, 2018, "Glow: Generative Flow with Invertible 1x1 Convolutions".

    Example:
        >>> Glow((1, 8, 8), levels=2, steps=2).sample(5).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        shape: Sequence[int],
        levels: int = 2,
        steps: int = 8,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        checkpointed: bool = False,
    ):
        layers = glow_layers(shape, levels, steps, hidden, context=context, checkpointed=checkpointed)
        super().__init__(layers, StandardNormal(tuple(shape)))


class CNF(Flow):
    """Continuous normalizing flow: points move along a velocity field that a smooth net gives.

    Args:
        dim: number of variables D, 1 included.
        hidden: widths of the hidden layers of the velocity's net.
        context: number of context features.
        activation: "tanh" or "softplus".
        **solver: arguments of `Continuous`: trace, noise, method, steps, rtol, atol, adjoint, generator.

    Shapes: x (batch, D), context (batch, context).

    Source: Chen et al., 2018, "Neural Ordinary Differential Equations"; Grathwohl et al., 2019, "FFJORD".

    Example:
        >>> CNF(2, method="rk4", steps=4).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        dim: int,
        hidden: Widths = (64, 64),
        *,
        context: int = 0,
        activation: str = "tanh",
        **solver: Any,
    ):
        net = VelocityMLP(dim, hidden, context=context, activation=activation)
        super().__init__(Continuous(net, **solver), StandardNormal((dim,)))


class ResidualFlow(Flow):
    """Residual layers z + g(z), one after another: any net that contracts is a layer.

    One direction has a formula and the other a search, so choose, as for `PlanarFlow`. Sampling and scoring
    need different numbers of evaluations of each net: one for the formula, dozens for the search.

    Args:
        dim: number of variables D, 1 included.
        layers: number of residual layers.
        hidden: widths of the hidden layers of each net.
        lipschitz: the bound L < 1 of each net: a layer stretches by 1 - L at least and by 1 + L at most, the
            other way round where `cheap` is "density".
        context: number of context features.
        activation: of the nets, of slope at most 1.
        cheap: "density" puts the formula on x -> z (each layer is an `Inverse(Residual)`), which fitting to
            data needs; "sample" puts it on z -> x.
        **how: arguments of `Residual`: log_det, terms, stop, solver, rounds, tolerance, generator.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: `cheap` is neither of the two; L is not below 1.

    Source: Behrmann et al., 2019, "Invertible Residual Networks"; Chen et al., 2019, "Residual Flows for
    Invertible Generative Modeling".

    Example:
        >>> ResidualFlow(2, layers=4).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        dim: int,
        layers: int = 16,
        hidden: Widths = (64, 64),
        *,
        lipschitz: float = 0.97,
        context: int = 0,
        activation: Activation = LipSwish,
        cheap: str = "density",
        **how: Any,
    ):
        if cheap not in ("sample", "density"):
            raise ValueError(f"cheap must be 'sample' or 'density', got {cheap!r}")
        steps: list[Bijection] = []
        for _ in range(layers):
            net = LipschitzMLP(dim, hidden, lipschitz=lipschitz, context=context, activation=activation)
            steps.append(Residual(net, **how))
        if cheap == "density":
            steps = [Inverse(step) for step in steps]
        super().__init__(Chain(*steps), StandardNormal((dim,)))


def couplings(
    dim: int,
    layers: int,
    hidden: Widths,
    context: int,
    activation: Activation,
    transformer: Transformer,
) -> Chain:
    """Coupling layers in which every variable moves in every second layer.

    Masks: the first half stays, the second half, the even places, the odd places, and so on, so
    that a variable meets different partners. The nets start near zero if the layers are many.
    """
    steps = []
    for layer in range(layers):
        mask = make_mask(dim, "half" if layer % 4 < 2 else "alternating")
        mask = mask if layer % 2 == 0 else ~mask
        stay = int(mask.sum())
        outputs = transformer.count * (dim - stay)
        conditioner = MLP(
            stay,
            outputs,
            hidden,
            context=context,
            activation=activation,
            zero_start=False,
            period=transformer.period,
        )
        _start_near_zero(conditioner.layers[-1], layers)
        steps.append(Coupling(dim, mask, conditioner, transformer))
    return Chain(*steps)


def autoregressive_layers(
    dim: int,
    layers: int,
    hidden: Widths,
    context: int,
    transformer: str | Transformer,
    activation: Activation,
) -> list[MaskedAutoregressive]:
    """Masked autoregressive layers, every second one with the variables in the opposite order.

    Their nets start near zero if the layers are many.
    """
    if isinstance(transformer, str):
        known: dict[str, type[Transformer]] = {"affine": AffineToZ, "spline": SplineTransformer}
        if transformer not in known:
            raise ValueError(f'transformer must be "affine", "spline" or a Transformer, got "{transformer}"')
        transformer = known[transformer]()
    orders = [range(dim), range(dim)[::-1]]
    steps = []
    for layer in range(layers):
        step = MaskedAutoregressive(
            dim,
            hidden,
            transformer,
            order=orders[layer % 2],
            context=context,
            activation=activation,
            zero_start=False,
        )
        _start_near_zero(step.net.layers[-1], layers)
        steps.append(step)
    return steps


def _usual_base(dim: int, transformer: Transformer) -> nn.Module:
    """N(0, I), or for angles the uniform density."""
    period = transformer.period
    return StandardNormal((dim,)) if period is None else UniformAngles((dim,), period=period)


def _start_near_zero(last: nn.Module, layers: int) -> None:
    """Scale the last layer of a net, one of `layers` nets, so that all together move a point about as far
    as `RANDOM_LAYERS` of them would."""
    if layers > RANDOM_LAYERS:
        for parameter in last.parameters():
            parameter.data.mul_(RANDOM_LAYERS / layers)
