"""The rational-quadratic spline: knots, slopes, edges, saturated and extreme parameters, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlib.base import StandardNormal
from flowlib.checks import check_bijection
from flowlib.scalar import Elementwise
from flowlib.splines import SplineTransformer

DTYPES = [torch.float32, torch.float64]


def slope_of(function, values, params):
    values = values.detach().clone().requires_grad_()
    return torch.autograd.grad(function(values, params)[0].sum(), values)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bins", [1, 2, 8, 40])
def test_zero_parameters_are_the_identity(bins, dtype):
    spline = SplineTransformer(bins)
    values = torch.linspace(-8, 8, 1001, dtype=dtype)
    params = torch.zeros(1001, spline.count, dtype=dtype)
    for direction in (spline, spline.inverse):
        result, log_slope = direction(values, params)
        assert torch.allclose(result, values, atol=8 * torch.finfo(dtype).eps)
        assert torch.allclose(log_slope, torch.zeros_like(values), atol=1e-6)


@pytest.mark.parametrize("event", [(), (3,), (2, 3, 4)])
@pytest.mark.parametrize("bound", [1.0, 5.0])
def test_laws(event, bound):
    torch.manual_seed(0)
    layer = Elementwise(SplineTransformer(6, bound=bound), event).double()
    layer.params.data.normal_()
    check_bijection(layer, z=1.5 * bound * torch.randn(9, *event).double())


def test_the_curve_runs_through_its_knots_with_its_slopes():
    """The definition, computed here from the parameters by other means."""
    torch.manual_seed(0)
    bins, bound, least = 5, 3.0, 1e-3
    spline = SplineTransformer(bins, bound=bound)
    params = torch.randn(spline.count).double()
    widths = least + (1 - bins * least) * torch.softmax(params[:bins], 0)
    heights = least + (1 - bins * least) * torch.softmax(params[bins : 2 * bins], 0)
    x = -bound + 2 * bound * widths.cumsum(0)[:-1]
    z = -bound + 2 * bound * heights.cumsum(0)[:-1]
    unit = math.log(math.expm1(1 - least))
    slopes = least + torch.log1p(torch.exp(params[2 * bins :] + unit))
    rows = params.expand(bins - 1, -1)
    assert torch.allclose(spline.inverse(x, rows)[0], z)
    assert torch.allclose(spline(z, rows)[0], x)
    # At a knot both neighbours give the same slope, so one step to either side may be taken.
    for step in (-1e-10, 0.0, 1e-10):
        assert torch.allclose(spline.inverse(x + step, rows)[1].exp(), slopes, rtol=1e-5)
    edges = torch.tensor([-bound, bound, -bound - 1e-9, bound + 1e-9]).double()
    value, log_slope = spline.inverse(edges, params.expand(4, -1))
    assert torch.allclose(value, edges) and torch.allclose(log_slope, torch.zeros(4).double(), atol=1e-6)


def test_outside_is_the_identity_and_its_parameters_get_no_gradient():
    spline = SplineTransformer(4, bound=2.0)
    values = torch.tensor([-1e30, -2.1, 2.1, 1e3])
    params = torch.randn(4, spline.count, requires_grad=True)
    for direction in (spline, spline.inverse):
        result, log_slope = direction(values, params)
        assert torch.equal(result, values) and bool((log_slope == 0).all())
        (gradient,) = torch.autograd.grad(result.sum() + log_slope.sum(), params)
        assert bool((gradient == 0).all())


def test_second_derivatives_by_finite_differences():
    torch.manual_seed(0)
    spline = SplineTransformer(4)
    values = (3 * torch.randn(5, 3)).double().requires_grad_()
    params = torch.randn(5, spline.count, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, p: spline(z, p), (values, params))
    assert torch.autograd.gradcheck(lambda x, p: spline.inverse(x, p), (values, params))


def test_increasing_and_continuous_over_many_random_curves():
    torch.manual_seed(0)
    spline = SplineTransformer(8)
    grid = torch.linspace(-6, 6, 2001).double()
    for scale in (0.3, 1.0, 5.0, 50.0):
        params = scale * torch.randn(20, spline.count, 1).double().expand(-1, -1, 2001)
        z, log_slope = spline.inverse(grid.expand(20, -1), params)
        assert bool((z.diff(dim=1) > 0).all())
        assert torch.allclose(
            slope_of(spline.inverse, grid.expand(20, -1), params).log(), log_slope, atol=1e-6
        )


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    bins=st.sampled_from([1, 2, 8, 30]),
    logits=st.sampled_from([0.0, 1.0, 20.0, 1e3, 1e9]),
    slopes=st.sampled_from([0.0, 1.0, 20.0, 1e3, 1e9]),
    z_size=st.sampled_from([0.0, 1e-30, 1.0, 5.0, 1e3]),
    same=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_extremes(dtype, bins, logits, slopes, z_size, same, seed):
    """Saturated logits put knots as close as `min_bin` lets them: nothing may become NaN, and a round
    trip may lose no more than rounding in x, seen through the slope dz/dx <= 1000 and back, allows."""
    generator = torch.Generator().manual_seed(seed)
    spline = SplineTransformer(bins)
    params = torch.randn(20, spline.count, generator=generator, dtype=dtype)
    if same:
        params = params.sign()  # many equal logits: one bin takes all or they share
    params[:, : 2 * bins] *= logits
    params[:, 2 * bins :] *= slopes
    params.requires_grad_()
    z = (z_size * torch.randn(20, generator=generator, dtype=dtype)).requires_grad_()
    x, log_slope = spline(z, params)
    again, log_slope_inverse = spline.inverse(x, params)
    there, log_slope_there = spline.inverse(z, params)
    results = (x, log_slope, again, log_slope_inverse, there, log_slope_there)
    gradients = torch.autograd.grad(sum(value.sum() for value in results), (z, params))
    for value in (*results, *gradients):
        assert torch.isfinite(value).all()
    rounding = torch.finfo(dtype).eps * (spline.bound + z.abs())
    steepest = torch.maximum(log_slope_inverse, -log_slope).clamp(min=0).exp()
    assert bool(((again - z).abs() <= 20 * rounding * (1 + steepest)).all())


@pytest.mark.parametrize("scale, allowed", [(1.0, 1e-4), (1e3, 2e-3)])
def test_float32_round_trip(scale, allowed):
    """Through 20,000 curves: at trained scales within 1e-4, with saturated logits within 2e-3, which is
    what eps * bound * (steepest slope, 1000) leaves."""
    generator = torch.Generator().manual_seed(0)
    spline = SplineTransformer(8)
    z = StandardNormal((20_000,)).sample(1, generator=generator)[0]
    params = scale * torch.randn(20_000, spline.count, generator=generator)
    again, _ = spline.inverse(spline(z, params)[0], params)
    assert float((again - z).abs().max()) < allowed


def test_arguments_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1 and below"):
        SplineTransformer(0)
    with pytest.raises(ValueError, match=r"below 1 / min_bin = 10"):
        SplineTransformer(10, min_bin=0.1)
    for wrong in ({"bound": 0.0}, {"bound": -5.0}, {"min_slope": 0.0}, {"min_slope": 1.0}):
        with pytest.raises(ValueError, match="bound > 0 and 0 < min_slope < 1"):
            SplineTransformer(**wrong)
