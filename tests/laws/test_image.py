"""Image layers: shapes, laws, the factor H W, dequantization and the constants of bits per dimension."""

import copy
import math

import pytest
import torch
from torch import nn

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.checks import check_bijection, check_gradients
from flowlib.flow import Flow
from flowlib.image import (
    Checkpoint,
    Conv1x1,
    GlowStep,
    Split,
    Squeeze,
    VariationalDequantization,
    bits_per_dim,
    image_coupling,
    logit_pixels,
    quantize,
    uniform_dequantize,
)
from flowlib.linear import ActNorm, Linear, Permutation
from flowlib.models import Glow
from flowlib.scalar import Affine

DTYPES = [torch.float32, torch.float64]


def trained(module: nn.Module, seed: int = 0) -> nn.Module:
    """Off its start: nets no longer end in zeros."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module


def test_squeeze_reads_each_block_as_a_page():
    image = torch.arange(2 * 4 * 2.0).view(1, 2, 4, 2)
    squeezed, log_det = Squeeze()(image)
    assert squeezed.shape == (1, 8, 2, 1) and log_det.tolist() == [0.0]
    assert squeezed[0, :4, 0, 0].tolist() == [0.0, 1.0, 2.0, 3.0]  # channel 0, rows 0-1, columns 0-1
    assert squeezed[0, 4:, 1, 0].tolist() == [12.0, 13.0, 14.0, 15.0]  # channel 1, rows 2-3
    assert torch.equal(Squeeze().inverse(squeezed)[0], image)


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 4, 5), (2, 1, 1)])
def test_squeeze_refuses_odd_sizes(shape):
    with pytest.raises(ValueError, match=f"must be even; got {shape[1]} x {shape[2]}"):
        Squeeze()(torch.zeros(2, *shape))
    with pytest.raises(ValueError, match=r"divisible by 2; got images of"):
        Glow(shape, levels=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 4), (12, 1, 2)])
def test_conv1x1_obeys_the_laws(shape, dtype):
    layer = trained(Conv1x1(shape[0])).to(dtype)
    check_bijection(layer, z=torch.randn(4, *shape, dtype=dtype))


@pytest.mark.parametrize("channels", [1, 2, 5, 48])
def test_conv1x1_starts_orthogonal_with_its_signs(channels):
    layer = Conv1x1(channels, torch.Generator().manual_seed(channels)).double()
    again = Conv1x1(channels, torch.Generator().manual_seed(channels)).double()
    weight = layer.weight()
    torch.testing.assert_close(weight @ weight.T, torch.eye(channels).double(), rtol=0, atol=1e-5)
    assert torch.equal(weight, again.weight())
    z = torch.randn(2, channels, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(z)[0], torch.einsum("ij,bjhw->bihw", weight, z))
    generator = torch.Generator().manual_seed(channels)
    noise = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(weight, torch.linalg.qr(noise).Q, rtol=0, atol=1e-5)


def test_conv1x1_counts_every_pixel():
    layer = Conv1x1.from_matrix(torch.diag(torch.tensor([2.0, -3.0])))
    _, log_det = layer(torch.randn(5, 2, 3, 4))
    torch.testing.assert_close(log_det, torch.full((5,), 12 * math.log(6.0)))
    with pytest.raises(ValueError, match="Conv1x1 expected"):
        layer(torch.randn(5, 3, 3, 4))
    with pytest.raises(ValueError, match="Conv1x1 expected"):
        layer(torch.randn(5, 2))


def test_split_transforms_one_half():
    layer = Split(Conv1x1.from_matrix(torch.tensor([[2.0]])))
    z = torch.randn(3, 2, 2, 2)
    x, log_det = layer(z)
    torch.testing.assert_close(x, torch.cat([2 * z[:, :1], z[:, 1:]], 1))
    torch.testing.assert_close(log_det, torch.full((3,), 4 * math.log(2.0)))
    check_bijection(layer.double(), z=z.double())
    with pytest.raises(ValueError, match="even number of channels"):
        layer(torch.randn(3, 3, 2, 2))


@pytest.mark.parametrize("mask", ["channel", "checkerboard"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_image_coupling_obeys_the_laws(mask, dtype):
    layer = trained(image_coupling((2, 4, 2), (6,), context=3, mask=mask)).to(dtype)
    context = torch.randn(4, 3, dtype=dtype)
    check_bijection(layer, z=torch.randn(4, 2, 4, 2, dtype=dtype), context=context)


def step_and_chain(*last: nn.Module) -> tuple[GlowStep, Chain]:
    """One step with the given layers after its coupling, off its start, and a plain chain of copies."""
    step = trained(GlowStep(image_coupling((4, 2, 6), (6,), context=2), *last)).double()
    return step, Chain(*copy.deepcopy(step).layers)


@pytest.mark.parametrize("last", ["conv, norm", "permutation, norm", "conv, affine"])
def test_a_step_is_the_chain_of_its_layers(last):
    torch.manual_seed(0)
    layers = {
        "conv, norm": (Conv1x1(4), ActNorm(4)),
        "permutation, norm": (Permutation.random(4), ActNorm(4)),
        "conv, affine": (Conv1x1(4), Affine(0.5, 2.0)),
    }
    step, chain = step_and_chain(*layers[last])
    context = torch.randn(5, 2, dtype=torch.float64)
    x = (3 * torch.randn(5, 4, 2, 6, dtype=torch.float64) + 1).requires_grad_()
    for direction in ("inverse", "forward"):  # the first call also sets the scales of a new ActNorm
        results = []
        for layer in (step, chain):
            value, log_det = getattr(layer, direction)(x, context)
            assert log_det.shape == (5,)
            loss = (value * x.detach().roll(1, 0)).sum() + (log_det * context[:, 0]).sum()
            learned = [parameter for parameter in layer.parameters() if parameter.requires_grad]
            gradients = torch.autograd.grad(loss, [x, *learned])
            results.append((value, log_det, *gradients))
        for ours, expected in zip(*results, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
    for name, value in step.state_dict().items():
        torch.testing.assert_close(value, chain.state_dict()[name])
        assert "initialised" not in name or value
    check_bijection(step, z=x.detach(), context=context)


def test_a_step_refuses_what_is_no_image_of_its_channels():
    step, _ = step_and_chain(Conv1x1(4), ActNorm(4))
    for shape in ((5, 3, 2, 6), (5, 4)):
        with pytest.raises(ValueError, match=r"expected images of shape \(batch, 4, H, W\)"):
            step.inverse(torch.zeros(shape, dtype=torch.float64))


BFLOAT16 = {"device_type": "cpu", "dtype": torch.bfloat16}


def test_glow_under_autocast_scores_as_in_float32():
    torch.manual_seed(0)
    flow = trained(Glow((3, 8, 8), 2, 3, (16, 16)))
    x = torch.rand(64, 3, 8, 8)
    flow.log_prob(x)
    with torch.no_grad():
        full = flow.log_prob(x).mean()
        with torch.autocast(**BFLOAT16):
            half = flow.log_prob(x)
            samples, log_prob = flow.sample_with_log_prob(16)
    assert half.dtype == samples.dtype == log_prob.dtype == torch.float32
    assert not torch.equal(half.mean(), full)  # the nets did compute in bfloat16
    assert abs(half.mean() - full) < 0.02 * abs(full)


def test_under_autocast_a_coupling_does_in_float32_what_its_net_says():
    layer = trained(image_coupling((4, 2, 6), (6,)))
    z = torch.randn(5, 4, 2, 6)
    with torch.autocast(**BFLOAT16):
        params = layer.conditioner(z[:, :2])
        found, log_det = layer(z)
    assert params.dtype == torch.bfloat16
    moved, log_derivative = layer.transformer(z[:, 2:], params.float().view(5, 2, 2, 2, 6))
    torch.testing.assert_close(found[:, 2:], moved, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_det, log_derivative.flatten(1).sum(1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_glow_under_autocast_trains(checkpointed):
    torch.manual_seed(0)
    flow = Glow((1, 8, 8), 2, 2, (16, 16), checkpointed=checkpointed)
    x = 0.1 * torch.randn(128, 1, 8, 8) + torch.linspace(-1, 1, 8)
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)

    def nats() -> torch.Tensor:
        with torch.autocast(**BFLOAT16):
            return -flow.log_prob(x).mean()

    start = nats().item()
    for _ in range(30):
        optimizer.zero_grad()
        nats().backward()
        optimizer.step()
    assert all(parameter.grad.dtype == torch.float32 for parameter in flow.parameters())
    with torch.no_grad():
        half, full = nats().item(), -flow.log_prob(x).mean().item()
    assert half < start - 50 and abs(half - full) < 0.02 * abs(full)


@pytest.mark.parametrize("name", ["conv", "norm", "linear", "coupling", "checkerboard", "step", "split"])
def test_autocast_touches_nets_only(name):
    """Values and log-determinants keep float32, and a layer without a net all of its digits."""
    layer = trained(
        {
            "conv": lambda: Conv1x1(4),
            "norm": lambda: ActNorm(4),
            "linear": lambda: Linear(4),
            "coupling": lambda: image_coupling((4, 2, 6), (6,)),
            "checkerboard": lambda: image_coupling((4, 2, 6), (6,), mask="checkerboard"),
            "step": lambda: GlowStep(image_coupling((4, 2, 6), (6,)), Conv1x1(4), ActNorm(4)),
            "split": lambda: Split(Conv1x1(2)),
        }[name]()
    ).eval()
    z = torch.randn(5, 4) if name == "linear" else torch.randn(5, 4, 2, 6)
    for function in (layer, layer.inverse):
        expected = function(z)
        with torch.autocast(**BFLOAT16):
            found = function(z)
        exact = name in ("conv", "norm", "linear", "split")
        for value, reference in zip(found, expected, strict=True):
            assert value.dtype == torch.float32
            close = {"rtol": 0, "atol": 0} if exact else {"rtol": 0.02, "atol": 0.1}
            torch.testing.assert_close(value, reference, **close)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize(
    ("shape", "levels", "context"),
    [((1, 8, 8), 3, 0), ((3, 4, 8), 2, 2), ((1, 2, 2), 1, 0), ((2, 2, 6), 1, 1)],
)
def test_glow_obeys_the_laws(shape, levels, context, checkpointed):
    torch.manual_seed(0)
    flow = trained(Glow(shape, levels, 1, (6,), context=context, checkpointed=checkpointed)).double()
    rows = torch.randn(64, context, dtype=torch.float64) if context else None
    flow.log_prob(3 * torch.randn(64, *shape, dtype=torch.float64) + 1, rows)
    few = None if rows is None else rows[:3]
    z = torch.randn(3, *shape, dtype=torch.float64)
    check_bijection(flow.bijection, z=z, context=few)
    check_gradients(flow, z, context=few)
    assert flow.sample(3, few).shape == (3, *shape)


def test_glow_in_float32():
    torch.manual_seed(0)
    flow = trained(Glow((1, 8, 8), 2, 4, (16, 16)))
    x = torch.rand(128, 1, 8, 8)
    flow.log_prob(x)
    z, log_det = flow.bijection.inverse(x)
    again, log_det_forward = flow.bijection(z)
    torch.testing.assert_close(again, x, rtol=0, atol=1e-4)
    torch.testing.assert_close(log_det, -log_det_forward, rtol=0, atol=1e-2)


@pytest.mark.parametrize("size", [0.0, 1e3, -1e3])
def test_glow_of_extreme_images(size):
    flow = trained(Glow((1, 4, 4), 1, 2, (4,))).eval()
    x = torch.full((2, 1, 4, 4), size, requires_grad=True)
    log_prob = flow.log_prob(x)
    log_prob.sum().backward()
    assert torch.isfinite(log_prob).all() and torch.isfinite(x.grad).all()


def test_the_half_that_leaves_is_standardised_given_the_half_that_stays():
    """One level with a split: the latents of both halves change when the pixels do, jointly."""
    flow = trained(Glow((1, 4, 4), 2, 1, (8,))).double().eval()
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.bijection.inverse(x)[0], x)
    assert (jacobian.view(16, 16).abs().sum(1) > 1e-6).all()
    names = [name for name, _ in flow.bijection.steps()]
    assert names == ["Squeeze", "Split", "Coupling", "Coupling", "Conv1x1", "ActNorm", "Inverse(Squeeze)"]


def test_checkpointing_changes_nothing_but_memory():
    torch.manual_seed(0)
    plain, saving = (Glow((1, 4, 4), 2, 2, (8,), checkpointed=flag) for flag in (False, True))
    trained(plain)
    saving.load_state_dict(
        dict(zip(saving.state_dict(), plain.state_dict().values(), strict=True)), strict=True
    )
    x = torch.randn(20, 1, 4, 4)
    saved = []
    for flow in (plain, saving):
        count = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, c=count: (c.append(t.numel()), t)[1], lambda t: t
        ):
            loss = -flow.log_prob(x).mean()
        loss.backward()
        saved.append(sum(count))
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0)
    assert isinstance(saving.bijection.layers[3], Checkpoint)
    assert saved[1] < saved[0] / 2


def test_uniform_dequantization():
    x = torch.randint(0, 17, (500, 1, 8, 8))
    y = uniform_dequantize(x, 17, torch.Generator().manual_seed(0))
    assert y.dtype == torch.float32 and y.min() >= 0 and y.max() < 1
    assert torch.equal(quantize(y, 17), x)
    noise = y * 17 - x
    assert abs(noise.mean() - 0.5) < 0.01 and abs(noise.var() - 1 / 12) < 0.002
    assert torch.equal(y, uniform_dequantize(x.float(), 17, torch.Generator().manual_seed(0)))
    assert uniform_dequantize(x.double(), 17).dtype == torch.float64
    assert uniform_dequantize(torch.full((10**6,), 255), 256).max() < 1


@pytest.mark.parametrize(
    "x", [torch.rand(3, 4), torch.tensor([0.0, 17.0]), torch.tensor([-1, 3]), torch.tensor([math.nan])]
)
def test_dequantization_refuses_what_is_not_a_level(x):
    with pytest.raises(ValueError, match=r"whole numbers 0 \.\.\. 16"):
        uniform_dequantize(x, 17)


def test_quantize_goes_to_the_ends():
    assert quantize(torch.tensor([-0.2, 0.0, 0.499, 0.5, 0.999, 1.3]), 4).tolist() == [0, 0, 1, 2, 3, 3]


def test_variational_dequantization_has_the_density_it_says():
    """q(u | x) integrates to 1: estimated from its own draws, E_q[1/q] is the volume of the cube, 1."""
    torch.manual_seed(0)
    noise = trained(VariationalDequantization((1, 1, 2), 4, (8,)), 1).double()
    x = torch.tensor([0.0, 3.0], dtype=torch.float64).view(1, 1, 1, 2).expand(50_000, 1, 1, 2)
    with torch.no_grad():
        y, log_q = noise(x)
    assert torch.equal(quantize(y, 4), x.long())
    # 1/q is unbounded near the edges of the cube; inside [0.1, 0.9]^2 the volume is 0.64.
    u = (y * 4 - x).flatten(1)
    inside = ((u > 0.1) & (u < 0.9)).all(1)
    volume = ((-log_q).exp() * inside).mean()
    assert abs(float(volume) - 0.64) < 0.02


def test_variational_dequantization_depends_on_the_image_and_learns():
    torch.manual_seed(0)
    noise = trained(VariationalDequantization((1, 4, 4), 17, (8,)))
    x = torch.randint(0, 17, (6, 1, 4, 4))
    one, other = (noise(image, torch.Generator().manual_seed(0))[0] * 17 - image for image in (x, 16 - x))
    assert (one - other).abs().max() > 1e-3
    y, log_q = noise(x)
    bits_per_dim(StandardNormal((1, 4, 4)).log_prob(y), (1, 4, 4), 17, log_q=log_q).mean().backward()
    assert sum(parameter.grad.abs().sum() for parameter in noise.parameters()) > 0
    with pytest.raises(ValueError, match="expected an input of shape"):
        noise(x[:, :, :2])


def test_bits_of_knowing_nothing():
    for levels in (2, 17, 256):
        bits = bits_per_dim(torch.zeros(3), (3, 4, 4), levels)
        torch.testing.assert_close(bits, torch.full((3,), math.log2(levels)))


def test_bits_of_a_histogram_are_its_cross_entropy():
    """Where the density is constant on each level, the bound is exact: bits are those of a code."""
    probability = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    x = torch.tensor([[0, 1, 2, 3, 0, 1]])
    y = uniform_dequantize(x.double(), 4)
    density = (4 * probability)[quantize(y, 4)]  # of y on [0, 1]
    bits = bits_per_dim(density.log().sum(1), 6, 4)
    torch.testing.assert_close(bits, torch.tensor([(1 + 2 + 3 + 3 + 1 + 2) / 6], dtype=torch.float64))


def test_bits_do_not_depend_on_where_the_scaling_is_counted():
    """The same density of the pixels, written on y, on 2y - 1 and on logits, costs the same bits."""
    shape, levels = (1, 2, 2), 256
    size = math.prod(shape)
    y = uniform_dequantize(torch.randint(0, levels, (5, *shape)), levels).double()
    base, logit = StandardNormal(shape).double(), logit_pixels(0.05).double()
    on_logits = base.log_prob(logit.inverse(y)[0])
    inside_the_flow = bits_per_dim(Flow(logit, base).log_prob(y), shape, levels)
    outside = bits_per_dim(on_logits, shape, levels, log_det=logit.inverse(y)[1])
    torch.testing.assert_close(inside_the_flow, outside)

    scaled = base.log_prob(2 * y - 1)
    linear = Chain(
        Inverse(Squeeze()), Conv1x1.from_matrix(torch.tensor([[0.5]], dtype=torch.float64)), Squeeze()
    )
    squeezed = Squeeze()(2 * y - 1)[0]
    as_layer = base.log_prob(2 * y - 1) - linear(squeezed)[1]
    torch.testing.assert_close(
        bits_per_dim(scaled, shape, levels, log_det=size * math.log(2)), bits_per_dim(as_layer, shape, levels)
    )


def test_bits_with_variational_noise():
    """log_q = log of the uniform density 1 is no correction; a sharper q costs its negative entropy."""
    log_prob = torch.tensor([-10.0])
    plain = bits_per_dim(log_prob, 4, 16)
    assert torch.equal(plain, bits_per_dim(log_prob, 4, 16, log_q=torch.zeros(1)))
    torch.testing.assert_close(bits_per_dim(log_prob, 4, 16, log_q=4 * math.log(2)) - plain, torch.ones(1))


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.4])
def test_logit_pixels(alpha):
    layer = logit_pixels(alpha).double()
    y = torch.linspace(0, 1, 12, dtype=torch.float64).view(3, 1, 2, 2)
    z, log_det = layer.inverse(y)
    assert torch.isfinite(z).all() and torch.isfinite(log_det).all()
    torch.testing.assert_close(z, torch.logit(alpha + (1 - 2 * alpha) * y), rtol=1e-4, atol=1e-4)
    check_bijection(layer, z=torch.randn(3, 1, 2, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        logit_pixels(0.5)


def test_glow_refuses_nonsense():
    with pytest.raises(ValueError, match="divisible by 8; got images of 12 x 8"):
        Glow((1, 12, 8), levels=3)
    with pytest.raises(ValueError, match="levels >= 1 and steps >= 1"):
        Glow((1, 8, 8), levels=0)


def test_conv1x1_is_the_linear_layer_at_each_pixel():
    matrix = torch.randn(4, 4, dtype=torch.float64)
    z = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    by_pixel = Linear.from_matrix(matrix)(z.movedim(1, -1).reshape(-1, 4))[0]
    torch.testing.assert_close(Conv1x1.from_matrix(matrix)(z)[0], by_pixel.view(2, 3, 5, 4).movedim(-1, 1))
