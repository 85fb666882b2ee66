"""Coupling layers and the models made of them, RealNVP and NSF: laws, masks, images, errors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from flowlib.bijection import Chain
from flowlib.checks import check_bijection, check_flow, check_gradients
from flowlib.coupling import Coupling, make_mask
from flowlib.models import NSF, RealNVP
from flowlib.nets import MLP, ConvNet
from flowlib.scalar import AffineTransformer
from flowlib.splines import SplineTransformer

DTYPES = [torch.float32, torch.float64]
TRANSFORMERS = [AffineTransformer, SplineTransformer]
ROUND_TRIP = {torch.float32: 1e-4, torch.float64: 1e-9}


def trained(module: nn.Module, size: float = 0.5, seed: int = 0) -> nn.Module:
    """Weights of the size that training gives them: each unit's input sums to about `size`."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 4
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(size * noise * math.sqrt(2 / fan_in))
    return module


def coupling(dim, mask, transformer, context=0, hidden=(24, 24)):
    stay = int(mask.sum())
    return Coupling(
        dim, mask, MLP(stay, transformer.count * (dim - stay), hidden, context=context), transformer
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("dim", [2, 3, 5, 64])
@pytest.mark.parametrize("kind", ["half", "alternating"])
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_laws_for_vectors(transformer, kind, dim, context, dtype):
    torch.manual_seed(0)
    rows = torch.randn(6, context, dtype=dtype) if context else None
    for mask in (make_mask(dim, kind), ~make_mask(dim, kind)):
        layer = trained(coupling(dim, mask, transformer(), context)).to(dtype)
        z = 2 * torch.randn(6, dim, dtype=dtype)
        check_bijection(layer, z=z, context=rows, tolerance=ROUND_TRIP[dtype])
        x, _ = layer(z, rows)
        assert torch.equal(x[:, mask], z[:, mask]), "what stays must stay to the last bit"
        assert bool((x[:, ~mask] != z[:, ~mask]).any())


@pytest.mark.parametrize("transformer", TRANSFORMERS)
@pytest.mark.parametrize(
    "kind, shape",
    [
        ("channel", (2, 4, 4)),
        ("channel", (3, 2, 6)),
        ("checkerboard", (1, 4, 4)),
        ("checkerboard", (3, 2, 6)),
        ("random", (1, 4, 4)),
        ("random", (3, 2, 6)),
    ],
)
@pytest.mark.parametrize("context", [0, 2])
def test_laws_for_images(kind, shape, transformer, context):
    torch.manual_seed(1)
    drawn = torch.rand(shape) < 0.5 if kind == "random" else make_mask(shape, kind)
    for mask in (drawn, ~drawn):
        stay = int(mask[:, 0, 0].sum()) if kind == "channel" else shape[0]
        move = shape[0] - stay if kind == "channel" else shape[0]
        rule = transformer()
        layer = Coupling(
            shape, mask, trained(ConvNet(stay, rule.count * move, (8,), context=context)), rule
        ).double()
        rows = torch.randn(3, context).double() if context else None
        z = torch.randn(3, *shape).double()
        check_bijection(layer, z=z, context=rows)
        x, _ = layer(z, rows)
        assert torch.equal(x[:, mask], z[:, mask])
        assert bool((x[:, ~mask] != z[:, ~mask]).any(0).all()), "a pixel that should move does not"


@settings(max_examples=60, deadline=None)
@given(
    mask=st.lists(st.booleans(), min_size=2, max_size=9).filter(lambda mask: 0 < sum(mask) < len(mask)),
    seed=st.integers(0, 1000),
)
def test_any_mask(mask, seed):
    torch.manual_seed(seed)
    mask = torch.tensor(mask)
    layer = trained(coupling(len(mask), mask, AffineTransformer()), seed=seed).double()
    z = torch.randn(4, len(mask)).double()
    check_bijection(layer, z=z)
    assert torch.equal(layer(z)[0][:, mask], z[:, mask])


@settings(max_examples=150, deadline=None)
@given(
    transformer=st.sampled_from(TRANSFORMERS),
    dtype=st.sampled_from(DTYPES),
    weight=st.sampled_from([0.0, 1e-30, 1.0, 1e3]),
    z_size=st.sampled_from([0.0, 1e-30, 1.0, 5.0, 1e3]),
    seed=st.integers(0, 100),
)
def test_extremes_give_no_nan(transformer, dtype, weight, z_size, seed):
    layer = trained(coupling(3, make_mask(3, "half"), transformer(), hidden=(8,)), weight, seed).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    z = (z_size * torch.randn(5, 3, generator=generator, dtype=dtype)).requires_grad_()
    x, log_det = layer(z)
    again, log_det_inverse = layer.inverse(z)
    (x.sum() + log_det.sum() + again.sum() + log_det_inverse.sum()).backward()
    for value in (x, log_det, again, log_det_inverse, z.grad, *(p.grad for p in layer.parameters())):
        assert torch.isfinite(value).all()


def test_log_scale_is_bounded():
    layer = coupling(2, make_mask(2, "half"), AffineTransformer(bound=2.0))
    nn.init.constant_(layer.conditioner.layers[-1].bias, 1e6)
    _, log_det = layer(torch.randn(4, 2))
    assert torch.allclose(log_det, torch.full((4,), 2.0))


@pytest.mark.parametrize("event", [1, (1,), (1, 1, 1)])
def test_one_dimension_is_refused_with_the_reason(event):
    with pytest.raises(ValueError, match=r"at least 2 dimensions.*one part must stay"):
        Coupling(event, torch.ones(1, dtype=torch.bool), nn.Identity(), AffineTransformer())
    for model in (RealNVP, NSF):
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            model(1)


def test_errors_say_what_was_expected():
    net, rule = MLP(1, 2), AffineTransformer()
    with pytest.raises(ValueError, match="something to stay"):
        Coupling(2, [True, True], net, rule)
    with pytest.raises(ValueError, match="something to stay"):
        Coupling(2, [False, False], net, rule)
    with pytest.raises(TypeError, match="boolean"):
        Coupling(2, torch.tensor([1.0, 0.0]), net, rule)
    with pytest.raises(ValueError, match="does not fit the event shape"):
        Coupling(2, [True, False, True], net, rule)
    with pytest.raises(ValueError, match="must be one of half"):
        Coupling(2, "left", net, rule)
    with pytest.raises(ValueError, match=r"for images, event shape \(C, H, W\)"):
        make_mask(4, "checkerboard")
    with pytest.raises(ValueError, match="for vectors"):
        make_mask((1, 4, 4), "half")
    layer = Coupling(2, "half", MLP(1, 3), rule)
    with pytest.raises(ValueError, match=r"shape \(5, 2\); got \(5, 3\)"):
        layer(torch.randn(5, 2))
    layer = Coupling(2, "half", net, rule)
    with pytest.raises(ValueError, match=r"shape \(batch, 2\), got \(5, 3\)"):
        layer.inverse(torch.randn(5, 3))
    with pytest.raises(ValueError, match="without context"):
        layer(torch.randn(5, 2), torch.randn(5, 1))


def test_a_plain_network_is_a_conditioner():
    layer = Coupling(
        2, "half", nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2)), AffineTransformer()
    )
    check_bijection(layer.double(), z=torch.randn(5, 2).double())


def test_make_mask():
    assert make_mask(5, "half").tolist() == [True, True, True, False, False]
    assert make_mask(5, "alternating").tolist() == [True, False, True, False, True]
    board = make_mask((2, 3, 4), "checkerboard")
    assert board.shape == (2, 3, 4) and board[0, 0, 0] and not board[0, 0, 1] and not board[0, 1, 0]
    channel = make_mask((3, 2, 2), "channel")
    assert channel[:2].all() and not channel[2].any()


# --- RealNVP and NSF -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("dim", [2, 3, 5, 64])
@pytest.mark.parametrize("model", [RealNVP, NSF])
def test_models_obey_the_laws(model, dim, context, dtype):
    torch.manual_seed(0)
    flow = trained(model(dim, 4, (16, 16), context=context)).to(dtype)
    rows = torch.randn(6, context, dtype=dtype) if context else None
    z = torch.randn(6, dim, dtype=dtype)
    check_bijection(flow.bijection, z=z, context=rows, tolerance=ROUND_TRIP[dtype])
    check_gradients(flow, flow.bijection(z, rows)[0], context=rows)


@pytest.mark.parametrize("model", [RealNVP, NSF])
def test_densities_in_two_dimensions(model):
    torch.manual_seed(0)
    check_flow(trained(model(2, 4, (16, 16)), 0.4).double())


@pytest.mark.parametrize("model", [RealNVP, NSF])
def test_models_start_near_their_base(model):
    torch.manual_seed(0)
    flow, x = model(5, 4), torch.randn(100, 5)
    gap = (flow.log_prob(x) - flow.base.log_prob(x)).abs().mean()
    assert 0 < gap < 3


@pytest.mark.parametrize("model", [RealNVP, NSF])
def test_models_move_every_variable(model):
    flow = model(5, 4)
    moved = sum((~layer.mask).int() for layer in flow.bijection.layers)
    assert moved.tolist() == [2] * 5
    assert isinstance(flow.bijection, Chain) and len(flow.bijection) == 4


@pytest.mark.parametrize("model", [RealNVP, NSF])
def test_log_prob_compiles_to_one_graph(model):
    torch.compiler.reset()
    flow = trained(model(3, 2, (8, 8)))
    x = torch.randn(5, 3)
    compiled = torch.compile(flow.log_prob, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x), flow.log_prob(x))
