"""What a layer says that it takes: merged when flows are built, held to when they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from flowlib import CNF, IAF, MAF, NSF, Chain, Flow, Glow, Inverse, PlanarFlow, RadialFlow, RealNVP
from flowlib import StandardNormal as Normal
from flowlib.bijection import Bijection
from flowlib.coupling import Coupling
from flowlib.image import Conv1x1, Split, Squeeze
from flowlib.linear import ActNorm, Linear, Permutation
from flowlib.lipschitz import LipschitzMLP
from flowlib.memory import Checkpoint, Reversible
from flowlib.nets import MLP
from flowlib.planar import Planar, Radial, Sylvester
from flowlib.residual import Residual
from flowlib.scalar import Affine, AffineTransformer, Elementwise, Exp, LeakyReLU, MixtureCDF, Sigmoid
from flowlib.volume import Henon

PLAIN = {  # layers without context, and the shape of a z that suits each
    "Linear": (lambda: Linear(3), (3,)),
    "ActNorm": (lambda: ActNorm(3), (3,)),
    "Permutation": (lambda: Permutation.reverse(3), (3,)),
    "Planar": (lambda: Planar(3), (3,)),
    "Radial": (lambda: Radial(3), (3,)),
    "Sylvester": (lambda: Sylvester(3), (3,)),
    "Residual": (lambda: Residual(LipschitzMLP(3, 8)), (3,)),
    "Henon": (Henon, (2,)),
    "Elementwise": (lambda: Elementwise(AffineTransformer(), (3,)), (3,)),
    "MixtureCDF": (lambda: MixtureCDF(2, (3,)), (3,)),
    "Affine": (lambda: Affine(1.0, 2.0), (3,)),
    "Exp": (Exp, (3,)),
    "Sigmoid": (Sigmoid, (3,)),
    "LeakyReLU": (LeakyReLU, (3,)),
    "Squeeze": (Squeeze, (1, 4, 4)),
    "Conv1x1": (lambda: Conv1x1(2), (2, 4, 4)),
    "Split": (lambda: Split(ActNorm(1)), (2, 4, 4)),
}


def conditional(dim: int = 3, context: int = 2) -> Coupling:
    return Coupling(dim, "half", MLP(2, 2 * (dim - 2), 8, context=context), AffineTransformer())


# ---------------------------------------------------------------------------- context


@pytest.mark.parametrize(
    "wrap",
    [lambda f: f, Inverse, Chain, Checkpoint, Reversible],
    ids=["", "Inverse", "Chain", "Checkpoint", "Reversible"],
)
@pytest.mark.parametrize("name", PLAIN)
def test_a_context_that_nobody_takes_is_refused(name, wrap):
    make, shape = PLAIN[name]
    layer, z = wrap(make()), torch.rand(4, *shape)
    assert layer.context == 0
    for direction in (layer, layer.inverse):
        with pytest.raises(ValueError, match="built without context"):
            direction(z, torch.zeros(4, 2))
    flow = Flow(layer, Normal(shape))
    with pytest.raises(ValueError, match="built without context"):
        flow.log_prob(z, torch.zeros(4, 2))
    with pytest.raises(ValueError, match="built without context"):
        flow.sample(4, torch.zeros(4, 2))


def test_in_a_chain_each_layer_is_given_what_it_takes():
    flow = Flow(Chain(Linear(3), conditional(), Inverse(Planar(3)), ActNorm(3)), Normal(3))
    assert flow.context == flow.bijection.context == 2
    x, given = torch.randn(5, 3), torch.randn(5, 2)
    assert flow.log_prob(x, given).shape == (5,)
    assert len(flow.path(x, given, inverse=True)) == 5
    with pytest.raises(ValueError, match=r"needs a context of shape \(5, 2\)"):
        flow.log_prob(x)
    one_row = flow.sample(7, torch.randn(2))
    assert one_row.shape == (7, 3)


def test_layers_that_take_different_contexts_do_not_fit():
    with pytest.raises(ValueError, match="take the same context"):
        Chain(conditional(context=2), Linear(3), Inverse(conditional(context=4)))


class Own(Bijection):
    """A layer of a reader's own that takes a context, and says so or forgets to."""

    def __init__(self, says: bool):
        super().__init__()
        if says:
            self.context = 1

    def forward(self, z, context=None):
        return z + context, z.new_zeros(len(z))

    def inverse(self, x, context=None):
        return x - context, x.new_zeros(len(x))


def test_a_layer_of_ones_own_says_that_it_takes_a_context():
    x, given = torch.randn(3, 2), torch.ones(3, 1)
    assert Flow(Chain(Own(True)), Normal(2)).log_prob(x, given).shape == (3,)
    with pytest.raises(ValueError, match="of your own that takes one says so"):
        Flow(Chain(Own(False)), Normal(2)).log_prob(x, given)


# ---------------------------------------------------------------------------- shapes


def test_shapes_are_merged_through_layers_that_change_them():
    coupling = Coupling((4, 2, 2), "channel", nn.Identity(), AffineTransformer())
    deep = Chain(Inverse(Squeeze()), Squeeze(), Chain(Conv1x1(4), coupling))
    assert Chain(Squeeze(), deep).event_shape == (1, 4, 4)
    assert Inverse(Chain(Squeeze(), deep)).event_shape == (4, 2, 2)
    assert Chain(Exp(), Affine()).event_shape is None
    assert Glow((1, 8, 8), 2, 1, hidden=8).bijection.event_shape == (1, 8, 8)
    assert Glow((1, 8, 8), 2, 1, hidden=8, checkpointed=True).bijection.event_shape == (1, 8, 8)


def test_parts_that_do_not_fit_are_refused_when_they_are_built():
    with pytest.raises(ValueError, match=r"layer 2, Planar, takes events of shape \(3,\)"):
        Chain(Linear(2), Exp(), Planar(3))
    with pytest.raises(ValueError, match=r"the base draws events of shape \(2,\)"):
        Flow(Planar(3), Normal(2))


def test_a_slice_of_a_chain_is_a_chain():
    chain = Chain(Linear(2), Planar(2), Radial(2))
    part = chain[1:]
    assert isinstance(part, Chain) and list(part.layers) == [chain[1], chain[2]]
    z = torch.randn(4, 2)
    torch.testing.assert_close(part(z)[0], chain[2](chain[1](z)[0])[0])
    assert chain[-1] is chain.layers[2]


# ---------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("model", [RealNVP, NSF, MAF, IAF])
def test_sizes_by_place_all_else_by_name(model):
    flow = model(3, 2, 16, context=2)
    assert flow.context == 2
    assert flow.parameter_count == model(dim=3, layers=2, hidden=(16,), context=2).parameter_count
    with pytest.raises(TypeError):
        model(3, 2, (16,), 2)


def test_sizes_of_the_other_models():
    assert CNF(2, 16).context == 0
    assert Glow((1, 4, 4), 1, 2, 8).event_shape == (1, 4, 4)
    assert len(PlanarFlow(2, 3, "density").bijection) == len(RadialFlow(2, 3).bijection) == 3
    for model, *sizes in ((CNF, 2, 16, 3), (Glow, (1, 4, 4), 1, 2, 8, 3)):
        with pytest.raises(TypeError):
            model(*sizes)


def test_whole_numbers_of_any_kind_count():
    flow = RealNVP(np.int64(2), 2, 8)
    assert flow.sample(np.int64(3)).shape == (3, 2)
    assert Normal(2).event_shape == (2,)
    for wrong in (3.0, -1, True, "3"):
        with pytest.raises(ValueError, match="whole number"):
            flow.sample(wrong)


# ---------------------------------------------------------------------------- log-determinants


@pytest.mark.parametrize("name", PLAIN)
def test_log_determinants_are_never_below_float32(name):
    """In bfloat16 the map may lose digits; the sum over all dimensions must not."""
    make, shape = PLAIN[name]
    torch.manual_seed(0)
    value, log_det = make().eval().bfloat16()(torch.rand(4, *shape, dtype=torch.bfloat16))
    assert value.dtype == torch.bfloat16
    assert log_det.dtype == torch.float32
