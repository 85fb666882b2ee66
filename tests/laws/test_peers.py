"""Independent references: zuko, nflows and normflows with the same weights give the same log_prob.

Where a peer squashes the log-scale by another function than ours, it is given ours, or ours theirs:
masks, nets, splines, directions and log-determinants stay each library's own.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.coupling import Coupling, make_mask
from flowlib.flow import Flow
from flowlib.image import Conv1x1
from flowlib.linear import ActNorm
from flowlib.models import NSF
from flowlib.nets import MLP, MaskedMLP
from flowlib.scalar import AffineTransformer, Transformer
from flowlib.splines import SplineTransformer
from tests.benchmarks import peers

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def linears(module: nn.Module) -> list[nn.Linear]:
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


def copy_weights(ours: nn.Module, theirs: nn.Module, rows=slice(None)) -> None:
    """Fill both nets with the same random weights; `rows` is the order of their outputs in ours."""
    pairs = list(zip(linears(ours), linears(theirs), strict=True))
    with torch.no_grad():
        for place, (mine, other) in enumerate(pairs):
            chosen = rows if place == len(pairs) - 1 else slice(None)
            mine.weight.normal_(std=0.7 / math.sqrt(mine.in_features))
            mine.bias.normal_(std=0.3)
            other.weight.copy_(mine.weight[chosen])
            other.bias.copy_(mine.bias[chosen])


class SoftplusScale(Transformer):
    """nflows' affine map: z = softplus(raw) x + shift, with 1e-3 added to the scale."""

    count = 2

    def inverse(self, x, params):
        raw, shift = params.unbind(1)
        scale = F.softplus(raw) + 1e-3
        return scale * x + shift, scale.log()

    def forward(self, z, params):
        raw, shift = params.unbind(1)
        scale = F.softplus(raw) + 1e-3
        return (z - shift) / scale, -scale.log()


class ZukoScale(Transformer):
    """zuko's affine map: z = exp(a) x + shift, a squashed by softsign to |a| < log 1000."""

    count = 2

    def log_scale(self, raw):
        return raw / (1 + (raw / math.log(1000)).abs())

    def inverse(self, x, params):
        shift, raw = params.unbind(1)
        a = self.log_scale(raw)
        return a.exp() * x + shift, a

    def forward(self, z, params):
        shift, raw = params.unbind(1)
        a = self.log_scale(raw)
        return (z - shift) * (-a).exp(), -a


def by_variable(count: int, size: int) -> torch.Tensor:
    """Rows of ours, parameter by parameter, in the peers' order, variable by variable."""
    return torch.arange(count * size).view(count, size).t().flatten()


@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_affine_coupling_of_normflows(dim):
    normflows = pytest.importorskip("normflows")
    torch.manual_seed(0)
    ours, theirs = [], []
    for layer in range(4):
        mask = make_mask(dim, "alternating") if layer % 2 else ~make_mask(dim, "alternating")
        stay = int(mask.sum())
        net = MLP(stay, 2 * (dim - stay), (16, 16))
        shift, scale = (normflows.nets.MLP([dim, 16, 16, dim]) for _ in range(2))
        copy_weights(net, net)
        with torch.no_grad():  # their nets see all D entries, masked, and give all D parameters
            for net_theirs, part in ((shift, slice(0, dim - stay)), (scale, slice(dim - stay, None))):
                first, second, last = linears(net_theirs)
                first.weight.zero_()[:, mask] = linears(net)[0].weight
                first.bias.copy_(linears(net)[0].bias)
                second.load_state_dict(linears(net)[1].state_dict())
                last.weight.zero_()[~mask] = linears(net)[2].weight[part]
                last.bias.zero_()[~mask] = linears(net)[2].bias[part]
        squash = AffineTransformer().log_scale
        ours.append(Coupling(dim, mask, net, AffineTransformer()))
        theirs.append(normflows.flows.MaskedAffineFlow(mask.float(), shift, Squashed(scale, squash)))
    base = normflows.distributions.base.DiagGaussian(dim, trainable=False)
    x = 1.5 * torch.randn(20, dim)
    flow = Flow(Chain(*ours), StandardNormal((dim,)))
    assert torch.allclose(flow.log_prob(x), normflows.NormalizingFlow(base, theirs).log_prob(x), **CLOSE)


class Squashed(nn.Module):
    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        return self.function(self.net(x))


@pytest.mark.filterwarnings("ignore:Inputs to the softmax are not scaled down")
@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_spline_coupling_of_nflows(dim):
    transforms = pytest.importorskip("nflows.transforms")
    torch.manual_seed(0)
    bins, bound = 8, 4.0
    ours = NSF(dim, 3, (16, 16), bins=bins, bound=bound)
    layers = []
    for layer in ours.bijection.layers:
        moved = int((~layer.mask).sum())
        theirs = transforms.PiecewiseRationalQuadraticCouplingTransform(
            torch.where(layer.mask, -1.0, 1.0),
            lambda inputs, outputs: WithContext(MLP(inputs, outputs, (16, 16))),
            num_bins=bins,
            tails="linear",
            tail_bound=bound,
        )
        net = theirs.transform_net
        copy_weights(layer.conditioner, net, by_variable(3 * bins - 1, moved))
        with torch.no_grad():  # our slopes are offset so that a parameter of 0 means slope 1
            offset = torch.zeros(moved, 3 * bins - 1)
            offset[:, 2 * bins :] = math.log(math.expm1(1 - 1e-3))
            linears(net)[-1].bias.add_(offset.flatten())
        layers.append(theirs)
    x = 2 * torch.randn(20, dim)
    chain = transforms.CompositeTransform(layers[::-1])
    z, log_det = ours.bijection.inverse(x)
    their_z, their_log_det = chain(x)
    assert torch.allclose(z, their_z, **CLOSE) and torch.allclose(log_det, their_log_det, **CLOSE)
    x, _ = ours.bijection(z)
    assert torch.allclose(x, chain.inverse(z)[0], atol=1e-4)


class WithContext(nn.Module):
    """nflows hands every net a context, here None."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, context=None):
        return self.net(x)


@pytest.mark.parametrize("seed", range(5))
def test_spline_of_nflows_on_its_own(seed):
    splines = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    generator = torch.Generator().manual_seed(seed)
    spline = SplineTransformer(6, bound=3.0)
    params = 2 * torch.randn(400, spline.count, generator=generator).double()
    x = 2 * torch.randn(400, generator=generator).double()
    widths, heights, slopes = params.split([6, 6, 5], 1)
    arguments = (widths, heights, slopes + spline.offset)
    for inverse, function in ((False, spline.inverse), (True, spline)):
        theirs = splines.unconstrained_rational_quadratic_spline(
            x, *arguments, inverse=inverse, tails="linear", tail_bound=3.0
        )
        ours = function(x, params)
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.allclose(mine, other, atol=1e-9, rtol=1e-9)


def copy_masked(net: MaskedMLP, theirs: list[nn.Linear]) -> None:
    """Give a peer's masked net our weights. Their hidden units have degrees 1, ..., D-1, 1, ..., D-1, and
    so on; sorted, these are ours, if the width is a multiple of D-1."""
    copy_weights(net, net)
    first, second, last = net.layers
    unit = torch.argsort(torch.arange(first.out_features) % (net.dim - 1), stable=True)
    rows = by_variable(net.count, net.dim)
    with torch.no_grad():
        theirs[0].weight[unit], theirs[0].bias[unit] = first.weight, first.bias
        theirs[1].weight[unit[:, None], unit], theirs[1].bias[unit] = second.weight, second.bias
        theirs[2].weight[:, unit], theirs[2].bias[:] = last.weight[rows], last.bias[rows]


@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_maf_of_nflows(dim):
    transforms = pytest.importorskip("nflows.transforms")
    torch.manual_seed(0)
    width = 3 * (dim - 1)
    ours = MaskedAutoregressive(dim, (width, width), SoftplusScale())
    theirs = transforms.MaskedAffineAutoregressiveTransform(
        dim, width, num_blocks=1, use_residual_blocks=False
    )
    copy_masked(ours.net, linears(theirs.autoregressive_net))
    x = torch.randn(20, dim)
    for mine, other in zip(ours.inverse(x), theirs(x), strict=True):
        assert torch.allclose(mine, other, **CLOSE)
    for mine, other in zip(ours(x), theirs.inverse(x), strict=True):
        assert torch.allclose(mine, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_maf_of_zuko(dim):
    flows = pytest.importorskip("zuko.flows")
    torch.manual_seed(0)
    width = 3 * (dim - 1)
    flow = flows.MAF(dim, transforms=2, hidden_features=(width, width))
    layers = []
    for place, theirs in enumerate(flow.transform.transforms):
        order = list(range(dim))[:: 1 if place == 0 else -1]
        ours = MaskedAutoregressive(dim, (width, width), ZukoScale(), order=order)
        copy_masked(ours.net, linears(theirs.hyper))
        layers.insert(0, ours)
    x = torch.randn(20, dim)
    ours = Flow(Chain(*layers), StandardNormal((dim,)))
    assert torch.allclose(ours.log_prob(x), flow().log_prob(x), **CLOSE)
    z, _ = ours.bijection.inverse(x)
    assert torch.allclose(ours.bijection(z)[0], flow().transform.inv(z), atol=1e-4, rtol=1e-4)


class Interleaved(nn.Module):
    """One of our nets for normflows' affine coupling: shift and log-scale take turns in the channels."""

    def __init__(self, net: nn.Module, squash):
        super().__init__()
        self.net, self.squash = net, squash

    def forward(self, x):
        shift, raw = self.net(x).chunk(2, 1)
        return torch.stack([shift, self.squash(raw)], 2).flatten(1, 2)


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize(("shape", "levels"), [((1, 4, 4), 1), ((3, 8, 4), 2), ((1, 8, 8), 3)])
def test_glow_of_normflows(shape, levels):
    """The benchmark's model, its order of layers, splits and latents included."""
    normflows = pytest.importorskip("normflows")
    torch.manual_seed(0)
    contenders = peers.glow(shape, levels, 2, (8, 8))
    ours, theirs = (contenders[name].model for name in ("flowlib", "normflows"))
    x = torch.rand(20, *shape)
    ours.log_prob(x)  # sets the ActNorms
    for parameter in ours.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))

    def pairs(mine: type, other: type) -> zip:
        found = (
            [part for part in model.modules() if isinstance(part, kind)]
            for model, kind in ((ours, mine), (theirs, other))
        )
        return zip(*found, strict=True)

    for mine, other in pairs(Coupling, normflows.flows.AffineCoupling):
        other.scale_map = "exp"
        other.param_map = Interleaved(mine.conditioner, mine.transformer.log_scale)
    for mine, other in pairs(Conv1x1, normflows.flows.Invertible1x1Conv):
        other.use_lu, other.W = False, nn.Parameter(mine.weight().inverse())  # theirs goes from x to z
    for mine, other in pairs(ActNorm, normflows.flows.ActNorm):
        other.s.data, other.t.data = (part.data.view(1, -1, 1, 1) for part in (mine.log_scale, mine.shift))
        other.data_dep_init_done = torch.tensor(1.0)
    assert torch.allclose(contenders["flowlib"].log_prob(x), contenders["normflows"].log_prob(x), rtol=1e-4)
    latents, _ = theirs.inverse_and_log_det(x)
    z, _ = ours.bijection.inverse(x)
    assert torch.allclose(
        torch.cat([part.flatten(1) for part in latents], 1).sort(1)[0], z.flatten(1).sort(1)[0], atol=1e-4
    )
