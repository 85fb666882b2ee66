"""The same models in flowlib and in its peers: equal depth, equal hidden widths, ReLU nets.

Every entry is a `Contender`: a module, how it scores data and how it samples. A peer that is not
installed is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flowlib.models import MAF, NSF, Glow, RealNVP, ResidualFlow

try:
    import nflows
    import nflows.distributions
    import nflows.flows
    import nflows.nn.nets
    import nflows.transforms
except ImportError:
    nflows = None
try:
    import normflows
except ImportError:
    normflows = None
try:
    import zuko
except ImportError:
    zuko = None


class Contender(NamedTuple):
    model: nn.Module
    log_prob: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)


class Scorer(nn.Module):
    """A contender with the one method that `flowlib.training.fit` needs."""

    def __init__(self, contender: Contender):
        super().__init__()
        self.model = contender.model
        self.score = contender.log_prob

    def log_prob(self, x: Tensor) -> Tensor:
        return self.score(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x)


def installed(contenders: dict[str, Contender | None]) -> dict[str, Contender]:
    return {name: contender for name, contender in contenders.items() if contender is not None}


def from_module(model: nn.Module) -> Contender:
    return Contender(model, model.log_prob, model.sample)


def from_zuko(model: nn.Module) -> Contender:
    return Contender(model, lambda x: model().log_prob(x), lambda n: model().sample((n,)))


def nflows_net(inputs: int, outputs: int, hidden: Sequence[int]) -> nn.Module:
    class Net(nflows.nn.nets.MLP):
        """nflows' own MLP takes no context; its coupling layers always pass one."""

        def forward(self, inputs, context=None):
            return super().forward(inputs)

    return Net((inputs,), (outputs,), hidden, nn.functional.relu)


def nflows_coupling(kind: str, dim: int, layers: int, hidden: Sequence[int], **options) -> Contender:
    transforms = []
    # nflows counts its layers from the data, flowlib from the noise: the same variable is to move last.
    for layer in reversed(range(layers)):
        mask = torch.ones(dim)
        mask[layer % 2 :: 2] = -1
        build = getattr(nflows.transforms, kind)
        transforms.append(build(mask, lambda inputs, outputs: nflows_net(inputs, outputs, hidden), **options))
    return nflows_flow(dim, transforms)


def nflows_flow(dim: int, transforms: list) -> Contender:
    chain = nflows.transforms.CompositeTransform(transforms)
    return from_module(nflows.flows.Flow(chain, nflows.distributions.StandardNormal([dim])))


def nflows_maf(dim: int, layers: int, hidden: Sequence[int]) -> Contender:
    options = {"num_blocks": len(hidden) - 1, "use_residual_blocks": False}
    transforms = []
    for layer in range(layers):
        transforms.append(nflows.transforms.MaskedAffineAutoregressiveTransform(dim, hidden[0], **options))
        if layer + 1 < layers:
            transforms.append(nflows.transforms.ReversePermutation(dim))
    return nflows_flow(dim, transforms)


def normflows_real_nvp(dim: int, layers: int, hidden: Sequence[int]) -> Contender:
    blocks = []
    for _ in range(layers):
        net = normflows.nets.MLP([(dim + 1) // 2, *hidden, dim // 2 * 2])
        blocks += [normflows.flows.AffineCouplingBlock(net), normflows.flows.Permute(dim, mode="swap")]
    base = normflows.distributions.base.DiagGaussian(dim, trainable=False)
    model = normflows.NormalizingFlow(base, blocks)
    return Contender(model, model.log_prob, lambda n: model.sample(n)[0])


def normflows_glow(shape: Sequence[int], levels: int, steps: int, width: int) -> Contender:
    """The layers of `flowlib.image.glow_layers`, the coupling beside each split included.

    normflows lists its levels from the deepest outwards. A squeezed level has 4 C channels; half of
    them leave, unless it is the deepest.
    """
    bases, flows, merges = [], [], []
    for level in reversed(range(levels)):
        channels = 4 * shape[0] * 2**level
        latents = channels
        layers = [normflows.flows.GlowBlock(channels, width) for _ in range(steps)]
        if level < levels - 1:
            latents = channels // 2
            net = normflows.nets.ConvNet2d((latents, width, width, channels), (3, 1, 3))
            layers.insert(0, normflows.flows.AffineCouplingBlock(net, scale_map="sigmoid"))
            merges.append(normflows.flows.Merge())
        space = [size // 2 ** (level + 1) for size in shape[1:]]
        bases.append(normflows.distributions.base.DiagGaussian((latents, *space), trainable=False))
        flows.append([*layers, normflows.flows.Squeeze()])
    model = normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)
    return Contender(model, lambda x: model.log_prob(x, None), lambda n: model.sample(n)[0])


def normflows_residual(
    dim: int, layers: int, hidden: Sequence[int], each: float, terms: int, exact: bool
) -> Contender:
    """Its nets bound each of their linear maps by `each`; one round of power iteration, as flowlib's."""
    blocks = []
    for _ in range(layers):
        net = normflows.nets.LipschitzMLP(
            [dim, *hidden, dim], lipschitz_const=each, max_lipschitz_iter=1, init_zeros=False
        )
        blocks.append(normflows.flows.Residual(net, n_exact_terms=terms, geom_p=0.5, brute_force=exact))
    base = normflows.distributions.base.DiagGaussian(dim, trainable=False)
    model = normflows.NormalizingFlow(base, blocks)

    def log_prob(x: Tensor) -> Tensor:
        if model.training:  # it follows the norms when told to, after each step
            normflows.utils.update_lipschitz(model, 1)
        return model.log_prob(x)

    return Contender(model, log_prob, lambda n: model.sample(n)[0])


def residual(
    dim: int, layers: int, hidden: Sequence[int], each: float, terms: int, exact: bool
) -> dict[str, Contender]:
    """Residual layers whose linear maps have norms of at most `each`, with exact determinants or Russian
    roulette of chance 1/2 after `terms` terms.

    normflows searches until the square of a step is below 1e-5 (1 + |y|), number by number: flowlib is given
    the bound on the error after such a step. Both score what they draw.
    """
    lipschitz = each ** (len(hidden) + 1)
    ours = ResidualFlow(
        *(dim, layers, hidden),
        lipschitz=lipschitz,
        log_det="exact" if exact else "roulette",
        terms=terms,
        stop=0.5,
        tolerance=lipschitz / (1 - lipschitz) * 1e-5**0.5,
    )
    return installed(
        {
            "flowlib": Contender(ours, ours.log_prob, lambda n: ours.sample_with_log_prob(n)[0]),
            "normflows": normflows and normflows_residual(dim, layers, hidden, each, terms, exact),
        }
    )


def real_nvp(dim: int, layers: int, hidden: Sequence[int]) -> dict[str, Contender]:
    """Affine couplings."""
    return installed(
        {
            "flowlib": from_module(RealNVP(dim, layers, hidden)),
            "zuko": zuko and from_zuko(zuko.flows.NICE(dim, transforms=layers, hidden_features=hidden)),
            "nflows": nflows and nflows_coupling("AffineCouplingTransform", dim, layers, hidden),
            "normflows": normflows and normflows_real_nvp(dim, layers, hidden),
        }
    )


def nsf(dim: int, layers: int, hidden: Sequence[int], bins: int = 8) -> dict[str, Contender]:
    """Rational-quadratic spline couplings on [-5, 5]."""
    spline = "PiecewiseRationalQuadraticCouplingTransform"
    options = {"num_bins": bins, "tails": "linear", "tail_bound": 5.0}
    return installed(
        {
            "flowlib": from_module(NSF(dim, layers, hidden, bins=bins)),
            "zuko": zuko
            and from_zuko(
                zuko.flows.NSF(dim, transforms=layers, hidden_features=hidden, bins=bins, passes=2)
            ),
            "nflows": nflows and nflows_coupling(spline, dim, layers, hidden, **options),
        }
    )


def maf(dim: int, layers: int, hidden: Sequence[int]) -> dict[str, Contender]:
    """Affine autoregressive layers, the order turned round in every second one.

    normflows has them the other way round only, as IAF.
    """
    return installed(
        {
            "flowlib": from_module(MAF(dim, layers, hidden)),
            "zuko": zuko and from_zuko(zuko.flows.MAF(dim, transforms=layers, hidden_features=hidden)),
            "nflows": nflows and nflows_maf(dim, layers, hidden),
        }
    )


def glow(shape: Sequence[int], levels: int, steps: int, hidden: Sequence[int]) -> dict[str, Contender]:
    """Glow's multi-scale architecture on images of shape (C, H, W), with two equal hidden widths, as
    normflows has them.

    The other peers have no Glow that could be put together from their layers alone.
    """
    first, second = hidden
    if first != second:
        raise ValueError(f"normflows' nets have two hidden layers of one width, got {hidden}")
    return installed(
        {
            "flowlib": from_module(Glow(shape, levels, steps, hidden)),
            "normflows": normflows and normflows_glow(shape, levels, steps, first),
        }
    )


def shake(model: nn.Module, seed: int = 0) -> None:
    """Small random weights of equal size for all, so that no model runs on a fresh start's zeros."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        fan_in = parameter.shape[1] if parameter.dim() > 1 else 100
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(0.3 * noise / math.sqrt(fan_in))
