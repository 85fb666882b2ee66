"""The same models in flowlib and in its peers: equal depth, equal hidden widths, ReLU nets.

Every entry is a `Contender`: a module, how it scores data and how it samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import nflows.distributions
import nflows.flows
import nflows.nn.nets
import nflows.transforms
import normflows
import torch
import zuko
from torch import Tensor, nn

from flowlib.flow import MAF, NSF, RealNVP


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


def from_module(model: nn.Module) -> Contender:
    return Contender(model, model.log_prob, model.sample)


def from_zuko(model: nn.Module) -> Contender:
    return Contender(model, lambda x: model().log_prob(x), lambda n: model().sample((n,)))


class NflowsNet(nflows.nn.nets.MLP):
    """nflows' own MLP takes no context; its coupling layers always pass one."""

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int]):
        super().__init__((inputs,), (outputs,), hidden, nn.functional.relu)

    def forward(self, inputs, context=None):
        return super().forward(inputs)


def nflows_coupling(kind: type, dim: int, layers: int, hidden: Sequence[int], **options) -> Contender:
    transforms = []
    # nflows counts its layers from the data, flowlib from the noise: the same variable is to move last.
    for layer in reversed(range(layers)):
        mask = torch.ones(dim)
        mask[layer % 2 :: 2] = -1
        transforms.append(kind(mask, lambda inputs, outputs: NflowsNet(inputs, outputs, hidden), **options))
    return nflows_flow(dim, transforms)


def nflows_flow(dim: int, transforms: list) -> Contender:
    chain = nflows.transforms.CompositeTransform(transforms)
    return from_module(nflows.flows.Flow(chain, nflows.distributions.StandardNormal([dim])))


def normflows_flow(dim: int, layers: list) -> Contender:
    base = normflows.distributions.base.DiagGaussian(dim, trainable=False)
    model = normflows.NormalizingFlow(base, layers)
    return Contender(model, model.log_prob, lambda n: model.sample(n)[0])


def real_nvp(dim: int, layers: int, hidden: Sequence[int]) -> dict[str, Contender]:
    """Affine couplings."""
    coupling = nflows.transforms.AffineCouplingTransform
    blocks = []
    for _ in range(layers):
        net = normflows.nets.MLP([(dim + 1) // 2, *hidden, dim // 2 * 2])
        blocks += [normflows.flows.AffineCouplingBlock(net), normflows.flows.Permute(dim, mode="swap")]
    return {
        "flowlib": from_module(RealNVP(dim, layers, hidden)),
        "zuko": from_zuko(zuko.flows.NICE(dim, transforms=layers, hidden_features=hidden)),
        "nflows": nflows_coupling(coupling, dim, layers, hidden),
        "normflows": normflows_flow(dim, blocks),
    }


def nsf(dim: int, layers: int, hidden: Sequence[int], bins: int = 8) -> dict[str, Contender]:
    """Rational-quadratic spline couplings on [-5, 5]."""
    return {
        "flowlib": from_module(NSF(dim, layers, hidden, bins)),
        "zuko": from_zuko(
            zuko.flows.NSF(dim, transforms=layers, hidden_features=hidden, bins=bins, passes=2)
        ),
        "nflows": nflows_coupling(
            nflows.transforms.PiecewiseRationalQuadraticCouplingTransform,
            *(dim, layers, hidden),
            num_bins=bins,
            tails="linear",
            tail_bound=5.0,
        ),
    }


def maf(dim: int, layers: int, hidden: Sequence[int]) -> dict[str, Contender]:
    """Affine autoregressive layers, the order turned round in every second one.

    normflows has them the other way round only, as IAF.
    """
    width, blocks = hidden[0], len(hidden) - 1
    options = {"num_blocks": blocks, "use_residual_blocks": False}
    theirs = []
    for layer in range(layers):
        theirs.append(nflows.transforms.MaskedAffineAutoregressiveTransform(dim, width, **options))
        if layer + 1 < layers:
            theirs.append(nflows.transforms.ReversePermutation(dim))
    return {
        "flowlib": from_module(MAF(dim, layers, hidden)),
        "zuko": from_zuko(zuko.flows.MAF(dim, transforms=layers, hidden_features=hidden)),
        "nflows": nflows_flow(dim, theirs),
    }


def shake(model: nn.Module, seed: int = 0) -> None:
    """Small random weights of equal size for all, so that no model runs on a fresh start's zeros."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        fan_in = parameter.shape[1] if parameter.dim() > 1 else 100
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(0.3 * noise / math.sqrt(fan_in))
