"""The transformers of splines and mixtures: alone, in layers, in models, on angles."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from flowlib import (
    IAF,
    MAF,
    MLP,
    NSF,
    CircularSplineTransformer,
    Coupling,
    Elementwise,
    Flow,
    Inverse,
    LogisticMixtureTransformer,
    MaskedAutoregressive,
    PiecewiseLinearTransformer,
    PiecewiseQuadraticTransformer,
    RealNVP,
    SplineTransformer,
    StudentT,
    UniformAngles,
)
from flowlib.checks import (
    check_bijection,
    check_flow,
    check_gradients,
    check_inverse,
    check_normalized,
    check_samples,
    check_triangular,
)
from flowlib.nets import cos_and_sin
from flowlib.recording import Watch

DTYPES = [torch.float32, torch.float64]
ALL = {
    "linear": lambda: PiecewiseLinearTransformer(5),
    "quadratic": lambda: PiecewiseQuadraticTransformer(5),
    "rational": lambda: SplineTransformer(5),
    "circular": lambda: CircularSplineTransformer(5),
    "circular, no shift": lambda: CircularSplineTransformer(5, shift=False),
    "logistics": lambda: LogisticMixtureTransformer(3),
}
ROUND_TRIP = {torch.float32: 1e-4, torch.float64: 1e-9}


@pytest.fixture(autouse=True)
def same_nets_in_every_run():
    torch.manual_seed(0)


def some(n: int, dim: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    """Points in (-3, 3), which a circle of angles holds."""
    generator = torch.Generator().manual_seed(seed)
    return 6 * torch.rand(n, dim, generator=generator, dtype=dtype) - 3


def shaken(module: nn.Module, size: float = 0.5, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 4
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.add_(size * noise * math.sqrt(2 / fan_in))
    return module


def gap(rule, values: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """How far two values are apart, on the circle where they are angles."""
    difference = (values - others).detach()
    return (rule.wrap(difference) if rule.period else difference).abs()


# ---------------------------------------------------------------------------- alone


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [1, 2, 8, 64])
@pytest.mark.parametrize("name", ALL)
def test_laws_alone(name, dim, dtype):
    layer = Elementwise(ALL[name](), (dim,))
    generator = torch.Generator().manual_seed(1)
    # A turn by the shift would bring points onto the seam, where one angle has two names.
    layer.params.data.add_(torch.randn(layer.params.shape, generator=generator)).clamp_(-2, 2)
    if name == "circular":
        layer.params.data[-1] = 0.0
    check_bijection(layer.to(dtype), z=some(5, dim, dtype), tolerance=ROUND_TRIP[dtype])


@pytest.mark.parametrize("name", ALL)
def test_parameters_of_zero_are_nearly_the_identity(name):
    rule, values = ALL[name](), torch.linspace(-3, 3, 301, dtype=torch.float64)
    params = torch.zeros(301, rule.count, dtype=torch.float64)
    near = 0.3 if name == "logistics" else 1e-12
    for direction in (rule, rule.inverse):
        result, log_slope = direction(values, params)
        assert float((result - values).abs().max()) < near and float(log_slope.abs().max()) < near


def test_one_logistic_is_an_affine_map():
    rule = LogisticMixtureTransformer(1)
    x = torch.linspace(-50, 50, 101, dtype=torch.float64)
    z, log_slope = rule.inverse(x, torch.zeros(101, rule.count, dtype=torch.float64))
    torch.testing.assert_close(z, x)
    torch.testing.assert_close(log_slope, torch.zeros_like(x))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_round_trips_at_wild_parameters(name, dtype):
    """Logits of 6 N(0, 1). What was rounded at its last digit comes back multiplied by the slope of the way
    back, whatever the formula, so the error is held against that."""
    generator = torch.Generator().manual_seed(0)
    rule = ALL[name]()
    params = 6 * torch.randn(20_000, rule.count, generator=generator, dtype=dtype)
    values = some(20_000, 1, dtype)[:, 0]
    for there, back in ((rule, rule.inverse), (rule.inverse, rule)):
        between, log_slope = there(values, params)
        again, log_slope_back = back(between, params)
        steep = torch.maximum(log_slope_back, -log_slope).exp()
        error = gap(rule, again, values) / (1 + steep * (1 + between.abs()))
        assert float(error.max()) < 40 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", [name for name in ALL if name != "circular, no shift"])
def test_no_step_of_a_gradient_is_nan_or_infinite(name, dtype):
    """Neither in the end nor on the way, where a `torch.where` may hide it: anomaly mode sees both."""
    rule, edges = ALL[name](), [0.0, 1e-30, 5.0, -5.0, math.pi, -math.pi, 5.1, -1e4]
    for seed, size in enumerate([6.0, 6.0, 6.0, 1e3]):
        generator = torch.Generator().manual_seed(seed)
        params = (size * torch.randn(300, rule.count, generator=generator, dtype=dtype)).requires_grad_()
        values = some(300, 1, dtype, seed)[:, 0]
        values[: len(edges)] = torch.tensor(edges, dtype=dtype)
        values.requires_grad_()
        for direction in (rule, rule.inverse):
            for which in (0, 1):
                with torch.autograd.set_detect_anomaly(True):
                    result = direction(values, params)[which]
                    gradients = torch.autograd.grad(result.sum(), (values, params), materialize_grads=True)
                for value in (result, *gradients):
                    assert torch.isfinite(value).all()


@pytest.mark.parametrize("name", [name for name in ALL if name != "logistics"])
def test_small_slopes_make_an_absolute_round_trip(name):
    """With bins of 0.15 of the side and slopes from 0.2 to 5 it is 1e-5 in float32, at logits 6 N(0, 1)."""
    sizes = {"min_slope": 0.2} | ({} if name == "linear" else {"min_bin": 0.15})
    rule = type(ALL[name]())(5, **sizes)
    generator = torch.Generator().manual_seed(0)
    params = 6 * torch.randn(20_000, rule.count, generator=generator)
    z = torch.randn(20_000, generator=generator)
    again, _ = rule.inverse(rule(z, params)[0], params)
    assert float(gap(rule, again, z if rule.period is None else rule.wrap(z)).max()) < 1e-5


@pytest.mark.parametrize("name", ALL)
def test_derivatives_of_both_directions_up_to_the_second(name):
    rule = ALL[name]()
    params = torch.randn(2, rule.count, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    values = some(2, 1)[:, 0].requires_grad_()
    for direction in (lambda z, p: rule(z, p), rule.inverse):
        assert torch.autograd.gradcheck(direction, (values, params))
        assert torch.autograd.gradgradcheck(direction, (values, params))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own, of forward mode
@pytest.mark.parametrize("name", ALL)
def test_under_vmap_and_forward_mode(name):
    rule = ALL[name]()
    generator = torch.Generator().manual_seed(0)
    values, params = some(4, 1)[:, 0], torch.randn(4, rule.count, generator=generator).double()
    for direction in (lambda z, p: rule(z, p), rule.inverse):
        expected = direction(values, params)
        one = torch.func.vmap(lambda v, p, f=direction: f(v[None], p[None]))(values, params)
        torch.testing.assert_close(one[0][:, 0], expected[0])
        tangent = torch.func.jvp(lambda v, f=direction: f(v, params)[0], (values,), (torch.ones(4).double(),))
        torch.testing.assert_close(tangent[1], expected[1].exp())


# ---------------------------------------------------------------------------- each by itself


def test_straight_pieces_are_the_histogram():
    """On a uniform base and with the shares of a sample as heights, the density is numpy's histogram."""
    x = some(500, 1)[:, 0]
    rule = PiecewiseLinearTransformer(8, bound=3.0, min_slope=1e-9)
    counts, edges = torch.histogram(x, 8, range=(-3.0, 3.0), density=True)
    assert float(counts.min()) > 0
    _, log_slope = rule.inverse(x, counts.log().expand(500, -1))
    density = (log_slope - math.log(6)).exp()
    bins = torch.searchsorted(edges, x).clamp(1, 8) - 1
    torch.testing.assert_close(density, counts[bins])


def test_parabolas_make_a_polygon_of_slopes():
    rule = PiecewiseQuadraticTransformer(4, bound=2.0)
    params = torch.randn(rule.count, generator=torch.Generator().manual_seed(3)).double()
    x = torch.linspace(-1.999, 1.999, 4001, dtype=torch.float64)
    _, log_slope = rule.inverse(x, params.expand(4001, -1))
    bends = (log_slope.exp().diff().diff().abs() > 1e-9).sum()
    assert 3 <= int(bends) <= 6, (
        "a polygon is bent at its three inner knots, each between two points or on one"
    )
    edges = torch.tensor([-2.0, 2.0], dtype=torch.float64)
    value, log_slope = rule.inverse(edges, params.expand(2, -1))
    torch.testing.assert_close(value, edges)
    torch.testing.assert_close(log_slope, torch.zeros(2).double(), atol=1e-9, rtol=0)


@settings(max_examples=50, deadline=None)
@given(turns=st.integers(-3, 3), seed=st.integers(0, 1000), shift=st.booleans())
def test_the_circle_has_no_seam(turns, seed, shift):
    generator = torch.Generator().manual_seed(seed)
    rule = CircularSplineTransformer(6, period=2.0, shift=shift)
    params = torch.randn(rule.count, generator=generator).double()
    x = 2 * torch.rand(50, generator=generator).double() - 1
    for direction in (lambda z, p: rule(z, p), rule.inverse):
        value, log_slope = direction(x, params.expand(50, -1))
        later, log_slope_later = direction(x + 2 * turns, params.expand(50, -1))
        assert float(gap(rule, later, value).max()) < 1e-9
        torch.testing.assert_close(log_slope_later, log_slope, atol=1e-9, rtol=0)
        step = 1e-7
        both = direction(torch.tensor([1 - step, -1 + step]).double(), params.expand(2, -1))
        assert float(gap(rule, both[0][0], both[0][1])) < 1e-3 and abs(float(both[1][0] - both[1][1])) < 1e-3


def test_logistics_are_scipys():
    from scipy import special

    rule = LogisticMixtureTransformer(2, spread=0.0, min_slope=1e-12)
    params = torch.tensor([0.3, -0.4, -1.0, 2.0, 0.2, -0.5, 0.7, 0.4], dtype=torch.float64)
    x = torch.linspace(-6, 6, 50, dtype=torch.float64)
    weight, mean, scale = (part.numpy() for part in (params[:2].softmax(0), params[2:4], params[4:6].exp()))
    cdf = (weight * special.expit((x[:, None].numpy() - mean) / scale)).sum(1)
    expected = special.logit(cdf) * math.exp(2 * math.tanh(0.4 / 2)) + 0.7
    z, _ = rule.inverse(x, params.expand(50, -1))
    torch.testing.assert_close(z, torch.as_tensor(expected))


def test_a_search_is_not_recorded():
    """It looks whether all have converged, and so a recording refuses it in words."""
    rule = LogisticMixtureTransformer(2)
    with Watch() as watch:
        rule.inverse(torch.zeros(3), torch.zeros(3, rule.count))
    assert not watch.obstacle
    with Watch() as watch:
        rule(torch.zeros(3), torch.zeros(3, rule.count))
    assert "looks at a value" in watch.obstacle


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseLinearTransformer(0), "bins >= 1"),
        (lambda: PiecewiseLinearTransformer(4, bound=-1.0), "bound > 0"),
        (lambda: PiecewiseLinearTransformer(4, min_slope=1.0), "0 < min_slope < 1"),
        (lambda: PiecewiseQuadraticTransformer(1), "at least 2 and below"),
        (lambda: PiecewiseQuadraticTransformer(4, min_slope=0.0), "0 < min_slope < 1"),
        (lambda: PiecewiseQuadraticTransformer(4, bound=0.0), "bound > 0"),
        (lambda: CircularSplineTransformer(0), "at least 1"),
        (lambda: CircularSplineTransformer(period=0.0), "period > 0"),
        (lambda: LogisticMixtureTransformer(0), "at least one component"),
        (lambda: LogisticMixtureTransformer(2, min_slope=0.0), "0 < min_slope < 1"),
        (lambda: UniformAngles(2, period=-1.0), "period > 0"),
        (lambda: UniformAngles(2).sample(3, temperature=0.5), "no meaning"),
    ],
)
def test_arguments_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_search_for_what_is_not_there_is_refused(bad):
    rule = LogisticMixtureTransformer(2)
    with pytest.raises(ValueError, match="1 of 2 elements did not converge"):
        rule(torch.tensor([bad, 0.0]), torch.zeros(2, rule.count))


# ---------------------------------------------------------------------------- in layers


def coupling(rule, dim: int, context: int = 0) -> Coupling:
    stay = (dim + 1) // 2
    net = MLP(stay, rule.count * (dim - stay), (24,), context=context, activation=nn.Tanh, period=rule.period)
    return Coupling(dim, "half", net, rule)


def masked(rule, dim: int, context: int = 0, order=None) -> MaskedAutoregressive:
    return MaskedAutoregressive(dim, (70,), rule, order=order, context=context, activation=nn.Tanh)


def still(layer: nn.Module) -> nn.Module:
    """Circles that do not turn, so that no point of these tests comes to lie on the seam."""
    layer.transformer.shift = False
    return layer


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [2, 8, 64])
@pytest.mark.parametrize("make", [coupling, masked], ids=["coupling", "autoregressive"])
@pytest.mark.parametrize("name", ALL)
def test_laws_in_layers(name, make, dim, dtype):
    context = 2 if dim == 8 else 0
    layer = still(shaken(make(ALL[name](), dim, context))).to(dtype)
    rows = torch.randn(3, context, dtype=dtype, generator=torch.Generator().manual_seed(1))
    # A Jacobian of 64 columns through 64 steps takes half a minute: there only the round trip is looked at.
    check = check_inverse if (make, dim) == (masked, 64) else check_bijection
    check(layer, z=some(3, dim, dtype), context=rows if context else None, tolerance=ROUND_TRIP[dtype])


@pytest.mark.parametrize("name", ALL)
def test_incremental_inversion_equals_one_pass_per_variable(name):
    for dim, context, seed in ((1, 0, 0), (2, 2, 1), (5, 0, 2), (9, 2, 3)):
        order = torch.randperm(dim, generator=torch.Generator().manual_seed(seed)).tolist()
        layer = shaken(masked(ALL[name](), dim, context, order), seed=seed).double()
        z, rows = some(4, dim), some(4, context) if context else None
        expected = torch.zeros_like(z)
        for _ in range(dim):
            expected, log_slope = layer.transformer(z, layer.net(expected, rows))
        x, log_det = layer(z, rows)
        assert float(gap(layer.transformer, x, expected).max()) < 1e-9
        torch.testing.assert_close(log_det, log_slope.sum(1))
        check_triangular(layer, z, context=rows, order=order)


@pytest.mark.parametrize("name", ALL)
def test_gradients_in_layers(name):
    for make in (coupling, masked):
        layer = still(shaken(make(ALL[name](), 3))).double()
        for one in (layer, Inverse(layer)):
            check_gradients(one, some(3, 3))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("model", [RealNVP, MAF, IAF])
def test_models_of_each_transformer_obey_the_laws(model, name):
    flow = shaken(model(2, 2, 16, transformer=ALL[name](), activation=nn.Tanh), 0.2).double()
    if name.startswith("circular"):
        assert isinstance(flow.base, UniformAngles)
        check_normalized(flow, -math.pi, math.pi, points=300)
        check_samples(flow, generator=torch.Generator().manual_seed(0))
    else:
        check_flow(flow, low=-15, high=15)


@pytest.mark.parametrize("model", [RealNVP, MAF])
def test_a_flow_of_angles_does_not_know_where_they_were_cut(model):
    flow = shaken(model(3, 2, 16, transformer=CircularSplineTransformer(6)), 0.5).double()
    x = some(20, 3)
    seam = x.clone()
    seam[:, 1] = math.pi
    for one, other in ((x, x + 2 * math.pi), (seam - 1e-9, seam + 1e-9), (x, x - 4 * math.pi)):
        torch.testing.assert_close(flow.log_prob(one), flow.log_prob(other), atol=1e-5, rtol=0)
    draws = flow.sample(200)
    assert float(draws.abs().max()) <= math.pi


def test_nets_of_angles_see_cosines_and_sines():
    x = some(6, 2)
    features = cos_and_sin(x, 4.0, 1)
    torch.testing.assert_close(features, torch.cat([(x * math.pi / 2).cos(), (x * math.pi / 2).sin()], 1))
    net = shaken(MLP(2, 3, 8, period=4.0)).double()
    torch.testing.assert_close(net(x), net(x + 4))


def test_models_take_a_base():
    assert isinstance(NSF(2, 1, 8, base=StudentT(2)).base, StudentT)
    box = torch.distributions.Uniform(-3 * torch.ones(2), 3 * torch.ones(2))
    for flow in (RealNVP(2, 1, 8, base=box), MAF(2, 1, 8, base=box), IAF(2, 1, 8, base=box)):
        assert torch.isfinite(flow.sample(3)).all()


@pytest.mark.parametrize("name", ["quadratic", "circular", "logistics"])
@pytest.mark.parametrize("model", [RealNVP, MAF])
def test_log_prob_compiles_to_one_graph(model, name):
    torch.compiler.reset()
    flow, x = shaken(model(3, 2, 8, transformer=ALL[name]())), some(5, 3).float()
    compiled = torch.compile(flow.log_prob, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), flow.log_prob(x))


def test_uniform_angles_are_uniform():
    base = UniformAngles((2, 3), period=4.0)
    draws = base.sample(1000, generator=torch.Generator().manual_seed(0))
    assert draws.shape == (1000, 2, 3) and -2 <= float(draws.min()) < -1.99 < 1.99 < float(draws.max()) < 2
    torch.testing.assert_close(base.log_prob(draws), torch.full((1000,), -6 * math.log(4)))
    assert base.log_prob(torch.full((1, 2, 3), math.nan)).isnan().all()
    assert Flow(Elementwise(CircularSplineTransformer(3), (2,)), UniformAngles(2)).double().sample(
        2
    ).dtype == (torch.float64)
