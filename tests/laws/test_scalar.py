"""Scalar bijections and transformers against the laws and independent references."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from flowlib.bijection import Chain, Inverse
from flowlib.checks import check_bijection
from flowlib.scalar import (
    Affine,
    AffineToZ,
    AffineTransformer,
    Elementwise,
    Exp,
    LeakyReLU,
    MixtureCDF,
    MixtureCDFTransformer,
    Sigmoid,
)

DTYPES = [torch.float32, torch.float64]
LINE = {
    "affine": lambda: Affine(1.0, -2.5),
    "exp": Exp,
    "sigmoid": Sigmoid,
    "leaky relu": lambda: LeakyReLU(0.2),
    "mixture": lambda: MixtureCDF(3),
    "chain": lambda: Chain(Affine(0.5, 2.0), LeakyReLU(), Sigmoid(), Inverse(Sigmoid()), Exp()),
}
UNIT = {"logit": lambda: Inverse(Sigmoid()), "quantile": lambda: Inverse(MixtureCDF(3))}
POSITIVE = {"log": lambda: Inverse(Exp())}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*LINE, *UNIT, *POSITIVE])
def test_laws_on_plain_numbers(name, dtype):
    if name in LINE:
        bijection, z = LINE[name](), torch.linspace(-3, 3, 13)
    elif name in UNIT:
        bijection, z = UNIT[name](), torch.linspace(0.02, 0.98, 13)
    else:
        bijection, z = POSITIVE[name](), torch.linspace(0.1, 9.0, 13)
    check_bijection(bijection.to(dtype), z=z.to(dtype))


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("dtype", DTYPES)
def test_laws_on_vectors(dim, dtype):
    z = torch.randn(7, dim, generator=torch.Generator().manual_seed(0), dtype=dtype)
    check_bijection(Chain(Affine(torch.arange(dim) * 0.1, 0.5), LeakyReLU()).to(dtype), z=z)
    for transformer in (AffineTransformer(), AffineToZ()):
        layer = Elementwise(transformer, (dim,)).to(dtype)
        torch.nn.init.normal_(layer.params, generator=torch.Generator().manual_seed(1))
        check_bijection(layer, z=z)
    check_bijection(MixtureCDF(4, (dim,)).to(dtype), z=z, tolerance=1e-4 if dtype == torch.float32 else 1e-8)


def test_one_log_scale_serves_both_directions():
    class Unbounded(AffineTransformer):
        def log_scale(self, raw):
            return raw

    layer = Elementwise(Unbounded(bound=1.0), (2,))
    torch.nn.init.constant_(layer.params, 3.0)
    check_bijection(layer, z=torch.randn(7, 2, generator=torch.Generator().manual_seed(0)))


def test_image_shaped_events():
    z = torch.randn(3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    check_bijection(Chain(Affine(0.3, 1.5), Sigmoid()).double(), z=z)


def test_empty_batch():
    x, log_det = Chain(Affine(1.0, 2.0), Exp())(torch.zeros(0, 3))
    assert x.shape == (0, 3)
    assert log_det.shape == (0,)


def test_mixture_cdf_is_scipys():
    mixture = MixtureCDF(2).double()
    with torch.no_grad():
        mixture.params.copy_(torch.tensor([0.3, -0.4, -1.0, 2.0, 0.2, -0.5], dtype=torch.float64))
    weights, means, scales = mixture.components()
    z = torch.linspace(-4, 5, 50, dtype=torch.float64)
    u, log_density = mixture(z)
    parts = list(zip(weights.numpy(), means.numpy(), scales.numpy(), strict=True))
    torch.testing.assert_close(u, torch.as_tensor(sum(w * stats.norm.cdf(z, m, s) for w, m, s in parts)))
    density = torch.as_tensor(sum(w * stats.norm.pdf(z, m, s) for w, m, s in parts))
    torch.testing.assert_close(log_density, density.log())


def test_maps_agree_with_torch_distributions():
    from torch.distributions import transforms

    z = torch.linspace(-3, 3, 11, dtype=torch.float64)
    pairs = [
        (Affine(1.0, -2.0).double(), transforms.AffineTransform(1.0, -2.0)),
        (Exp(), transforms.ExpTransform()),
        (Sigmoid(), transforms.SigmoidTransform()),
    ]
    for ours, theirs in pairs:
        x, log_det = ours(z)
        torch.testing.assert_close(x, theirs(z))
        torch.testing.assert_close(log_det, theirs.log_abs_det_jacobian(z, theirs(z)))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6),
    st.floats(-20, 20),
    st.floats(-1e4, 1e4),
    st.sampled_from(DTYPES),
)
def test_affine_transformer_is_bounded_and_finite(points, shift, raw, dtype):
    transformer = AffineTransformer()
    z = torch.tensor(points, dtype=dtype).requires_grad_()
    params = torch.tensor([shift, raw], dtype=dtype).view(1, 2).expand(len(z), 2).clone().requires_grad_()
    x, log_derivative = transformer(z, params)
    assert bool((log_derivative.abs() <= math.log(1000) + 1e-3).all())
    (x.sum() + log_derivative.sum()).backward()
    for tensor in (x, z.grad, params.grad):
        assert bool(torch.isfinite(tensor).all())
    back, _ = transformer.inverse(x, params)
    # A scale of 1e-3 costs three digits of z: the shift takes them.
    slack = 8 * torch.finfo(dtype).eps * (1 + abs(shift)) * torch.exp(-log_derivative.detach()).clamp(1)
    assert bool(((back - z).abs() <= slack + 8 * torch.finfo(dtype).eps * z.abs()).all())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6),
    st.lists(st.floats(-50, 50), min_size=9, max_size=9),
    st.sampled_from(DTYPES),
)
def test_mixture_extremes_give_no_nan(points, raw, dtype):
    transformer = MixtureCDFTransformer(3)
    z = torch.tensor(points, dtype=dtype).requires_grad_()
    params = torch.tensor(raw, dtype=dtype).expand(len(z), 9).clone().requires_grad_()
    u, log_density = transformer(z, params)
    assert bool(((u > 0) & (u < 1)).all())
    assert bool(torch.isfinite(log_density).all())
    log_density.sum().backward()
    assert bool(torch.isfinite(z.grad).all())
    assert bool(torch.isfinite(params.grad).all())


@pytest.mark.parametrize("dtype", DTYPES)
def test_mixture_round_trip_through_every_reachable_level(dtype):
    mixture = MixtureCDF(4).to(dtype)
    u = torch.linspace(0.001, 0.999, 999, dtype=dtype)
    z, _ = mixture.inverse(u)
    torch.testing.assert_close(mixture(z)[0], u, rtol=0, atol=8 * torch.finfo(dtype).eps)


def test_mixture_inverse_has_gradients():
    transformer = MixtureCDFTransformer(2)
    u = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    params = transformer.start(()).double().expand(3, 6).clone().requires_grad_()
    assert torch.autograd.gradcheck(transformer.inverse, (u, params))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Exp().inverse(torch.tensor([1.0, -2.0])), "needs x > 0, got values from -2 to 1"),
        (lambda: Sigmoid().inverse(torch.tensor([0.5, 1.5])), "needs 0 < x < 1, got values from 0.5 to 1.5"),
        (lambda: MixtureCDF(2).inverse(torch.tensor([0.0])), "needs 0 < x < 1"),
        (lambda: Affine(0.0, 0.0), "finite scale other than 0, got 0.0"),
        (lambda: Affine(math.nan), "finite shift, got nan"),
        (lambda: Affine(torch.zeros(2))(torch.zeros(5, 1)), r"shape \(2,\).* input of shape \(5, 1\)"),
        (lambda: Affine(0.0, torch.ones(3))(torch.zeros(3)), r"\(3,\): the first axis is the batch"),
        (lambda: Affine(torch.zeros(2)).inverse(torch.zeros(5, 3)), r"input of shape \(5, 3\)"),
        (lambda: LeakyReLU(0.0), "positive slope"),
        (lambda: MixtureCDF(0), "at least one component"),
        (lambda: MixtureCDF(2, (3,))(torch.zeros(4, 2)), r"shape \(batch, 3\), got \(4, 2\)"),
    ],
)
def test_errors_state_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_affine_map_of_real_nvp_is_written_from_x_to_z():
    rule = AffineToZ(bound=2.0)
    x, params = torch.randn(5, 3), torch.randn(5, 2, 3)
    shift, log_scale = params[:, 0], 2 * torch.tanh(params[:, 1] / 2)
    z, log_slope = rule.inverse(x, params)
    assert torch.allclose(z, x * log_scale.exp() + shift, atol=1e-5)
    assert torch.allclose(log_slope, log_scale, atol=1e-5)
    assert torch.allclose(rule(z, params)[0], x, atol=1e-4)
