"""Planar, radial and Sylvester layers: laws, constraints, numerical inverses and implicit gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlib.bijection import Inverse
from flowlib.checks import check_bijection, check_flow
from flowlib.models import PlanarFlow, RadialFlow
from flowlib.planar import Planar, Radial, Sylvester

DTYPES = [torch.float32, torch.float64]
DIMS = [1, 2, 3, 5, 64]
LAYERS = [Planar, Radial, Sylvester]
ROUND_TRIP = {torch.float32: 1e-4, torch.float64: 1e-9}


def drawn(layer, scale: float = 1.0, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", LAYERS)
def test_laws(kind, dim, dtype):
    layer = drawn(kind(dim).to(dtype))
    z = 2 * torch.randn(6, dim, generator=torch.Generator().manual_seed(1), dtype=dtype)
    check_bijection(layer, z=z)
    check_bijection(Inverse(layer), z=z)


def worst_round_trip(layer, z):
    """Largest error of inverse(forward(z)) relative to the size of the numbers on the way."""
    x, log_det = layer(z)
    again, log_det_inverse = layer.inverse(x)
    for value in (x, log_det, again, log_det_inverse):
        assert torch.isfinite(value).all()
    layer.zero_grad()
    (again.sum() + log_det_inverse.sum() + x.sum() + log_det.sum()).backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    size = 1 + max(float(x.detach().abs().max()), float(z.abs().max()))
    return float((again - z).detach().abs().max()) / size


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    dim=st.sampled_from([1, 2, 5]),
    w_size=st.sampled_from([0.0, 1e-30, 1e-2, 1.0, 30.0]),
    w_u=st.sampled_from([-1e3, -50.0, -7.0, -1.0, 0.0, 1.0, 50.0, 1e3]),
    z_size=st.sampled_from([0.0, 1e-3, 1.0, 1e3]),
    b=st.sampled_from([0.0, -3.0, 1e3]),
    seed=st.integers(0, 100),
)
def test_planar_extremes(dtype, dim, w_size, w_u, z_size, b, seed):
    layer = drawn(Planar(dim).to(dtype), seed=seed)
    with torch.no_grad():
        direction = layer.w / layer.w.norm()
        layer.w.copy_(w_size * direction)
        layer.u.copy_(w_u / max(w_size, 1.0) * direction)
        layer.b.fill_(b)
    z = z_size * torch.randn(5, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    # Where the map is nearly flat, its inverse multiplies rounding by one over its slope.
    steepest = float((-layer(z)[1].detach()).exp().max())
    assert worst_round_trip(layer, z) <= max(ROUND_TRIP[dtype], 8 * torch.finfo(dtype).eps * steepest)


@settings(max_examples=100, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    dim=st.sampled_from([1, 2, 5, 64]),
    alpha=st.sampled_from([-1e3, -5.0, 0.0, 5.0, 1e3]),
    slope=st.sampled_from([-1e3, -5.0, 0.0, 5.0, 1e3]),
    z_size=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
    seed=st.integers(0, 100),
)
def test_radial_extremes(dtype, dim, alpha, slope, z_size, seed):
    layer = drawn(Radial(dim).to(dtype), seed=seed)
    with torch.no_grad():
        layer.raw_alpha.fill_(alpha)
        layer.raw_slope.fill_(slope)
    z = z_size * torch.randn(5, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    z = torch.cat([z, layer.center.detach()[None]])  # the centre itself: r = 0
    # The centre may be flattened 1000-fold, which costs float32 three of its digits.
    assert worst_round_trip(layer, z) <= ROUND_TRIP[dtype] * (3 if dtype == torch.float32 else 1)


@settings(max_examples=100, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    dim=st.sampled_from([1, 2]),
    diagonal=st.sampled_from([-1e3, -1.0, 0.0, 1e3]),
    opposite=st.booleans(),
    z_size=st.sampled_from([0.0, 1.0, 1e3]),
    seed=st.integers(0, 100),
)
def test_sylvester_extremes(dtype, dim, diagonal, opposite, z_size, seed):
    layer = drawn(Sylvester(dim).to(dtype), 0.3, seed)
    with torch.no_grad():
        layer.outer.diagonal().fill_(diagonal)
        layer.inner.diagonal().fill_(-diagonal if opposite else diagonal)
        layer.reflections[0].zero_()
    z = z_size * torch.randn(5, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    # At R_ii R'_ii = -0.99 each direction may be flattened 100-fold, and errors pass on upwards.
    assert worst_round_trip(layer, z) <= ROUND_TRIP[dtype] * (10 if dtype == torch.float32 else 1)


@pytest.mark.parametrize("w_u", [-5.0, -1.5, 0.0, 2.0])
def test_planar_is_the_formula_of_the_paper(w_u):
    """Written out from Rezende & Mohamed (2015): u' with |w|^2, and the determinant."""
    w = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    u = w_u * w / (w @ w) + torch.tensor([1.0, 3.0, 0.0], dtype=torch.float64)  # the rest is orthogonal to w
    layer = Planar(3).double()
    with torch.no_grad():
        layer.w.copy_(w)
        layer.u.copy_(u)
        layer.b.fill_(0.3)
    m = -1 + math.log1p(math.exp(w_u))
    u_prime = u + (m - w_u) * w / w.norm() ** 2
    z = torch.randn(7, 3, dtype=torch.float64)
    x, log_det = layer(z)
    a = z @ w + 0.3
    torch.testing.assert_close(x, z + u_prime * torch.tanh(a)[:, None], rtol=0, atol=1e-10)
    det = 1 + (1 - torch.tanh(a) ** 2) * (w @ u_prime)
    torch.testing.assert_close(log_det, det.log(), rtol=0, atol=1e-10)
    torch.testing.assert_close(
        layer.constrained_u()[0] @ w, torch.tensor(m, dtype=torch.float64), rtol=0, atol=1e-10
    )


def test_planar_without_w_is_a_translation():
    layer = Planar(2)
    with torch.no_grad():
        layer.w.zero_()
        layer.b.fill_(1.0)
    z = torch.randn(4, 2)
    x, log_det = layer(z)
    torch.testing.assert_close(x - z, (layer.u * math.tanh(1.0)).expand(4, 2))
    assert not log_det.any()


def test_radial_is_the_formula_of_the_paper():
    layer = drawn(Radial(3).double())
    alpha, s = layer.constrained()
    beta = s - alpha
    z = torch.randn(7, 3, dtype=torch.float64)
    r = (z - layer.center).norm(dim=1)
    h, dh = 1 / (alpha + r), -1 / (alpha + r) ** 2
    x, log_det = layer(z)
    torch.testing.assert_close(x, z + beta * h[:, None] * (z - layer.center), rtol=0, atol=1e-12)
    det = (1 + beta * h) ** 2 * (1 + beta * h + beta * dh * r)
    torch.testing.assert_close(log_det, det.log(), rtol=0, atol=1e-12)
    assert beta > -alpha


def test_sylvester_of_rank_one_is_planar():
    sylvester, planar = drawn(Sylvester(4, 1).double()), Planar(4).double()
    q, outer, inner = sylvester.factors()
    with torch.no_grad():
        planar.w.copy_((q @ inner.T)[:, 0])
        planar.b.copy_(sylvester.b[0])
        w_u = (outer * inner).squeeze()
        # u with m(w.u) = R R': undo m, and let u lie along w, as q does.
        planar.u.copy_(torch.log(torch.expm1(1 + w_u)) * planar.w / (planar.w @ planar.w))
    z = torch.randn(6, 4, dtype=torch.float64)
    for found, expected in zip(sylvester(z), planar(z), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_sylvester_has_orthonormal_columns(rank):
    q, outer, inner = drawn(Sylvester(5, rank).double()).factors()
    torch.testing.assert_close(q.T @ q, torch.eye(rank, dtype=torch.float64), rtol=0, atol=1e-12)
    assert not outer.tril(-1).any() and not inner.tril(-1).any()


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_through_the_inverse(kind):
    """Implicit differentiation against finite differences, for the input and every parameter."""
    layer = drawn(kind(3).double())
    x = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def inverse(x, *parameters):
        z, log_det = torch.func.functional_call(
            Inverse(layer), {f"bijection.{n}": p for n, p in zip(names, parameters, strict=True)}, (x,)
        )
        return z, log_det

    assert torch.autograd.gradcheck(inverse, (x, *layer.parameters()), atol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("kind", [Planar, Sylvester])
def test_inverse_of_what_is_not_finite_raises(kind, bad):
    with pytest.raises(ValueError, match="finite"):
        kind(2).inverse(torch.full((3, 2), bad))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="rank from 1 to dim = 3, got 4"):
        Sylvester(3, 4)
    with pytest.raises(ValueError, match=r"Planar expected .*\(batch, 3\)"):
        Planar(3)(torch.randn(4, 2))
    with pytest.raises(ValueError, match="'sample' or 'density'"):
        PlanarFlow(2, cheap="both")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "build",
    [
        lambda: PlanarFlow(1, 3),
        lambda: PlanarFlow(2, 4),
        lambda: PlanarFlow(2, 4, cheap="density"),
        lambda: RadialFlow(1, 3),
        lambda: RadialFlow(2, 4),
    ],
)
def test_flows_obey_the_laws(build, dtype):
    torch.manual_seed(0)
    check_flow(build().to(dtype))
