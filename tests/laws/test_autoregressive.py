"""Masked autoregressive layers, MAF and IAF: laws, and the inversion that costs one pass."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from flowlib.autoregressive import MaskedAutoregressive
from flowlib.bijection import Inverse
from flowlib.checks import check_bijection, check_flow, check_gradients, check_inverse, check_triangular
from flowlib.models import IAF, MAF
from flowlib.scalar import AffineTransformer
from flowlib.splines import SplineTransformer

DTYPES = [torch.float32, torch.float64]
TRANSFORMERS = [AffineTransformer, SplineTransformer]
ROUND_TRIP = {torch.float32: 1e-4, torch.float64: 1e-9}


def trained(module: nn.Module, size: float = 0.5, seed: int = 0) -> nn.Module:
    """Weights of the size that training gives them: each unit's input sums to about `size`."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        fan_in = parameter.shape[1] if parameter.dim() > 1 else 4
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(size * noise * math.sqrt(2 / fan_in))
    return module


def one_pass_per_variable(layer: MaskedAutoregressive, z, context=None):
    """The textbook's sampler: D passes of the whole net, of which each settles one more variable."""
    x = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        x, log_derivative = layer.transformer(z, layer.net(x, context))
    return x, log_derivative.sum(1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_laws(transformer, dim, context, dtype):
    torch.manual_seed(0)
    for order in (None, list(range(dim))[::-1], torch.randperm(dim).tolist()):
        layer = trained(MaskedAutoregressive(dim, (32, 24), transformer(), order=order, context=context)).to(
            dtype
        )
        rows = torch.randn(4, context, dtype=dtype) if context else None
        z = torch.randn(4, dim, dtype=dtype)
        check_bijection(layer, z=z, context=rows, tolerance=ROUND_TRIP[dtype])
        check_bijection(Inverse(layer), z=z, context=rows, tolerance=ROUND_TRIP[dtype])
        check_triangular(layer, z, context=rows, order=order)
        check_triangular(layer, z, context=rows, order=layer.order)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_laws_in_64_dimensions(transformer, dtype):
    torch.manual_seed(0)
    layer = trained(
        MaskedAutoregressive(64, (70,), transformer(), order=torch.randperm(64).tolist(), context=3)
    ).to(dtype)
    rows, z = torch.randn(2, 3, dtype=dtype), torch.randn(2, 64, dtype=dtype)
    check_bijection(layer, z=z, context=rows, tolerance=ROUND_TRIP[dtype])


@pytest.mark.filterwarnings("ignore:a masked net with a hidden layer")
@settings(max_examples=60, deadline=None)
@given(
    dim=st.integers(1, 12),
    widths=st.lists(st.integers(1, 80), min_size=1, max_size=3),
    context=st.sampled_from([0, 2]),
    transformer=st.sampled_from(TRANSFORMERS),
    rows=st.sampled_from([0, 1, 5]),
    seed=st.integers(0, 1000),
)
def test_incremental_inversion_equals_one_pass_per_variable(dim, widths, context, transformer, rows, seed):
    torch.manual_seed(seed)
    layer = MaskedAutoregressive(
        dim, widths, transformer(), order=torch.randperm(dim).tolist(), context=context, activation=nn.Tanh
    )
    layer = trained(layer, seed=seed).double()
    z = torch.randn(rows, dim).double()
    given_rows = torch.randn(rows, context).double() if context else None
    x, log_det = layer(z, given_rows)
    expected, expected_log_det = one_pass_per_variable(layer, z, given_rows)
    assert torch.allclose(x, expected, atol=1e-10) and torch.allclose(log_det, expected_log_det, atol=1e-9)


@pytest.mark.filterwarnings("ignore:a masked net with a hidden layer")
@pytest.mark.parametrize("dim, width", [(8, 64), (64, 256), (200, 256), (200, 50)])
def test_inversion_costs_one_pass_of_arithmetic(dim, width):
    layer = MaskedAutoregressive(dim, (width, width), AffineTransformer())
    z = torch.randn(3, dim)

    def multiplications(function):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            function(z)
        return counter.get_total_flops()

    assert multiplications(layer) <= 1.05 * multiplications(layer.inverse)


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_gradients_of_both_directions(transformer, context):
    """Against finite differences, for the input, the context and every parameter."""
    torch.manual_seed(0)
    rule = AffineTransformer() if transformer is AffineTransformer else SplineTransformer(2)
    layer = trained(
        MaskedAutoregressive(3, (5, 4), rule, order=[2, 0, 1], context=context, activation=nn.Tanh)
    ).double()
    names = [name for name, _ in layer.named_parameters()]
    values = [parameter.detach().requires_grad_() for parameter in layer.parameters()]
    z = torch.randn(2, 3).double().requires_grad_()
    rows = torch.randn(2, context).double().requires_grad_() if context else None

    def call(direction):
        def function(z, rows, *values):
            module = layer if direction == "forward" else Inverse(layer)
            prefix = "" if direction == "forward" else "bijection."
            state = {prefix + name: value for name, value in zip(names, values, strict=True)}
            return torch.func.functional_call(module, state, (z, rows))

        return function

    for direction in ("forward", "inverse"):
        assert torch.autograd.gradcheck(call(direction), (z, rows, *values))


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_gradients_of_forward_equal_those_of_the_slow_sampler(transformer):
    torch.manual_seed(0)
    layer = trained(MaskedAutoregressive(30, (70, 50), transformer())).double()
    z = torch.randn(6, 30).double()
    gradients = []
    for sampler in (layer, lambda z: one_pass_per_variable(layer, z)):
        layer.zero_grad()
        x, log_det = sampler(z)
        ((x**2).sum() + log_det.sum()).backward()
        gradients.append([parameter.grad.clone() for parameter in layer.parameters()])
    for fast, slow in zip(*gradients, strict=True):
        assert torch.allclose(fast, slow, atol=1e-8, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    transformer=st.sampled_from(TRANSFORMERS),
    dtype=st.sampled_from(DTYPES),
    weight=st.sampled_from([0.0, 1e-30, 1.0, 1e3]),
    size=st.sampled_from([0.0, 1e-30, 1.0, 5.0, 1e3]),
    seed=st.integers(0, 100),
)
def test_extremes_give_no_nan(transformer, dtype, weight, size, seed):
    layer = trained(MaskedAutoregressive(2, (8,), transformer()), weight, seed).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    z = (size * torch.randn(5, 2, generator=generator, dtype=dtype)).requires_grad_()
    results = (*layer(z), *layer.inverse(z))
    sum(value.sum() for value in results).backward()
    for value in (*results, z.grad, *(parameter.grad for parameter in layer.parameters())):
        assert torch.isfinite(value).all()


def test_errors_say_what_was_expected():
    layer = MaskedAutoregressive(3, (8,), AffineTransformer(), context=2)
    for direction in (layer, layer.inverse):
        with pytest.raises(ValueError, match=r"shape \(batch, 3\), got \(5, 4\)"):
            direction(torch.randn(5, 4), torch.randn(5, 2))
        with pytest.raises(ValueError, match="needs a context"):
            direction(torch.randn(5, 3))
        with pytest.raises(ValueError, match=r"context of shape \(5, 2\), got \(5, 1\)"):
            direction(torch.randn(5, 3), torch.randn(5, 1))
    with pytest.raises(ValueError, match="once"):
        MaskedAutoregressive(3, (8,), AffineTransformer(), order=[0, 1])
    with pytest.raises(ValueError, match="at least one hidden layer"):
        MaskedAutoregressive(3, (), AffineTransformer())
    with pytest.raises(ValueError, match='"affine", "spline"'):
        MAF(2, transformer="cubic")


# --- MAF and IAF ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("transformer", ["affine", "spline"])
def test_models_obey_the_laws(transformer, dim, context, dtype):
    torch.manual_seed(0)
    rows = torch.randn(4, context, dtype=dtype) if context else None
    for model in (MAF, IAF):
        flow = trained(model(dim, 2, (16, 16), context=context, transformer=transformer)).to(dtype)
        z = torch.randn(4, dim, dtype=dtype)
        check_bijection(flow.bijection, z=z, context=rows, tolerance=ROUND_TRIP[dtype])
        check_gradients(flow, flow.bijection(z, rows)[0], context=rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", [MAF, IAF])
def test_models_in_64_dimensions(model, dtype):
    flow = trained(model(64, 3, (64, 64))).to(dtype)
    z = torch.randn(8, 64, dtype=dtype, generator=torch.Generator().manual_seed(0))
    check_inverse(flow.bijection, z=z, tolerance=ROUND_TRIP[dtype])
    check_gradients(flow, flow.bijection(z)[0])


@pytest.mark.parametrize("transformer", ["affine", "spline"])
@pytest.mark.parametrize("model", [MAF, IAF])
@pytest.mark.parametrize("dim", [1, 2])
def test_densities(model, dim, transformer):
    check_flow(trained(model(dim, 3, (16, 16), transformer=transformer), 0.4).double())


def test_iaf_is_maf_read_backwards():
    maf, iaf = trained(MAF(4, 3)), trained(IAF(4, 3))
    x = torch.randn(5, 4)
    z, log_det = x, 0
    for layer in maf.bijection.layers:
        z, term = layer.inverse(z)
        log_det = log_det + term
    ours, our_log_det = iaf.bijection(x)
    assert torch.allclose(ours, z, atol=1e-5) and torch.allclose(our_log_det, log_det, atol=1e-5)


@pytest.mark.parametrize("transformer", ["affine", "spline"])
def test_models_start_near_their_base_and_turn_the_order(transformer):
    torch.manual_seed(0)
    flow, x = MAF(5, 4, transformer=transformer), torch.randn(100, 5)
    gap = (flow.log_prob(x) - flow.base.log_prob(x)).abs().mean()
    assert 0 < gap < 3
    orders = [layer.net.order for layer in flow.bijection.layers]
    assert orders == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]] * 2


@pytest.mark.parametrize("transformer", ["affine", "spline"])
def test_log_prob_compiles_to_one_graph(transformer):
    torch.compiler.reset()
    flow = trained(MAF(3, 2, (8, 8), transformer=transformer))
    x = torch.randn(5, 3)
    compiled = torch.compile(flow.log_prob, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x), flow.log_prob(x))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_forward_mode_derivatives_do_not_depend_on_the_mode(transformer, mode):
    layer = trained(MaskedAutoregressive(3, 8, transformer(), activation=nn.Tanh)).double()
    z = torch.randn(1, 3, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda z: layer(z)[0], z)[0, :, 0]
    direction = torch.eye(3, dtype=torch.float64)[:1]
    with mode():
        jacobian = torch.func.jacfwd(lambda z: layer(z)[0])(z)[0, :, 0]
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(z, direction)
            along = torch.autograd.forward_ad.unpack_dual(layer(dual)[0]).tangent[0]
    torch.testing.assert_close(jacobian, expected)
    torch.testing.assert_close(along, expected[:, 0])


def test_sampling_may_be_compiled():
    flow = trained(MAF(3, 2, 8))
    z = torch.randn(5, 3)
    flow.base.sample = lambda n, *_: z
    expected = flow.sample(5)
    torch.testing.assert_close(torch.compile(flow.sample, backend="aot_eager")(5), expected)
    assert torch.randn(2, 2).shape == (2, 2)  # torch works on


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("model", [MAF, IAF])
def test_under_autocast_the_steps_keep_their_precision(model, dtype):
    flow = trained(model(3, 2, 8, context=2))
    x, context = torch.randn(200, 3), torch.randn(200, 2)
    with torch.no_grad():
        expected = flow.log_prob(x, context)
        z = flow.bijection.inverse(x, context)[0]
        with torch.autocast("cpu", dtype):
            found, sample = flow.log_prob(x, context), flow.bijection(z, context)[0]
    assert found.dtype == torch.float32 and sample.dtype == torch.float32
    assert abs(found.mean() - expected.mean()) < 0.02 * abs(expected.mean())
    torch.testing.assert_close(sample, x, rtol=0, atol=0.1)
