"""Residual layers: laws, norms, searches and bounds, estimates beside the exact determinant, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from flowlib import Flow, Inverse, LipschitzConvNet, LipschitzMLP, Residual, ResidualFlow, StandardNormal
from flowlib.checks import check_bijection, check_flow
from flowlib.recording import Watch
from flowlib.spectral import LipschitzConv2d, LipschitzLinear, LipSwish
from flowlib.training import fit
from tests.benchmarks.speed import kept_bytes

DTYPES = [torch.float32, torch.float64]
DIMS = [1, 2, 8, 64]


def net(dim: int, lipschitz: float = 0.9, seed: int = 0, **options) -> LipschitzMLP:
    """A net whose every weight is scaled down to its bound, and that bends."""
    torch.manual_seed(seed)
    made = LipschitzMLP(dim, 16, lipschitz=lipschitz, **options)
    for parameter in made.parameters():
        parameter.data.mul_(3.0)
    return made.eval()


def points(n: int, *shape: int, dtype: torch.dtype = torch.float64, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def linear(factor: float, dim: int) -> nn.Linear:
    """g(z) = factor z, in float64."""
    layer = nn.Linear(dim, dim, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(factor * torch.eye(dim))
    return layer


# ---------------------------------------------------------------------------- laws


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", DIMS)
def test_laws(dim, dtype):
    z = points(6, dim, dtype=dtype)
    layer = Residual(net(dim), log_det="exact").to(dtype)
    check_bijection(layer, z=z)
    check_bijection(Inverse(layer), z=z)


@pytest.mark.parametrize("solver", ["fixed", "newton"])
def test_laws_with_context_and_both_solvers(solver):
    layer = Residual(net(2, context=3, activation=nn.ELU), solver=solver).double()
    check_bijection(Inverse(layer), z=points(6, 2), context=points(6, 3))


def test_laws_of_images_and_of_a_net_of_ones_own():
    torch.manual_seed(0)
    image = Residual(LipschitzConvNet((1, 3, 3), 4)).double().eval()
    check_bijection(image, z=points(3, 1, 3, 3))
    own = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).double()
    own[0].weight.data.mul_(0.5)
    bound = float(torch.linalg.matrix_norm(own[0].weight, 2).detach())
    check_bijection(Residual(own, lipschitz=bound), z=points(3, 2))


@pytest.mark.parametrize("cheap", ["sample", "density"])
def test_laws_of_the_model(cheap):
    torch.manual_seed(0)
    flow = ResidualFlow(2, 2, 8, cheap=cheap).eval()
    check_flow(flow)
    with pytest.raises(ValueError, match="'sample' or 'density'"):
        ResidualFlow(2, cheap="both")


# ---------------------------------------------------------------------------- norms


@pytest.mark.parametrize("shape", [(1, 1), (2, 64), (64, 2), (40, 30)])
def test_the_norm_of_a_linear_map_is_exact_in_evaluation_and_found_in_training(shape):
    torch.manual_seed(0)
    layer = LipschitzLinear(*shape, lipschitz=0.3).eval()
    true = torch.linalg.svdvals(layer.weight.detach())[0]
    assert torch.linalg.svdvals(layer.scaled().detach())[0] < 0.3 * (1 + 1e-5)
    torch.testing.assert_close(layer.norm(), true)
    layer.train()
    seen = [float(layer.norm().detach()) for _ in range(60)]
    assert max(seen) <= float(true) * (1 + 1e-5)  # from below
    assert abs(seen[-1] - float(true)) < 2e-3 * float(true)
    assert seen == sorted(seen) or max(seen) - seen[0] < 1e-5 + max(0, seen[-1] - seen[0])


def test_a_weight_within_the_bound_is_left_as_it_is():
    layer = LipschitzLinear(3, 3, lipschitz=5.0).eval()
    assert layer.scaled().equal(layer.weight)
    layer.weight.data.zero_()
    layer.train()(torch.ones(1, 3)).sum().backward()
    assert layer.scaled().equal(layer.weight) and torch.isfinite(layer.weight.grad).all()


@pytest.mark.parametrize("size", [1, 3])
def test_the_norm_of_a_convolution_is_that_of_its_matrix(size):
    torch.manual_seed(0)
    layer = LipschitzConv2d((2, 5, 4), 3, size, lipschitz=0.5).eval()
    images = torch.eye(40).view(40, 2, 5, 4)
    matrix = (layer(images) - layer.bias.view(-1, 1, 1)).flatten(1)
    assert 0.499 < torch.linalg.matrix_norm(matrix, 2) < 0.5 * (1 + 1e-3)


@pytest.mark.parametrize(
    "make", [lambda: net(8, 0.7), lambda: LipschitzConvNet((2, 4, 4), (8, 8), lipschitz=0.7)]
)
def test_no_point_is_stretched_by_more_than_the_bound(make):
    shape = make().shape
    made = make().eval().function()
    for scale in (1e-2, 1.0, 30.0):
        z, push = (
            scale * points(20, *shape, dtype=torch.float32),
            points(20, *shape, dtype=torch.float32, seed=2),
        )
        for step in (1e-2, 1.0):
            moved = (made(z + step * push) - made(z)).flatten(1).norm(dim=1)
            assert (moved <= 0.7 * step * push.flatten(1).norm(dim=1) * (1 + 1e-3) + 1e-5).all()


def test_lipswish_has_slopes_within_one_whatever_its_beta():
    x = torch.linspace(-30, 30, 4001, dtype=torch.float64)
    for beta in (0.01, 1.0, 50.0):
        value, slope = LipSwish(beta).double().with_slope(x / beta)
        torch.testing.assert_close(value, LipSwish(beta).double()(x / beta))
        assert slope.min() > -0.1 and 0.99 < slope.max() <= 1
    with pytest.raises(ValueError, match=r"SiLU reaches 1\.10"):
        LipschitzMLP(2, activation=nn.SiLU)


# ---------------------------------------------------------------------------- the search


@pytest.mark.parametrize("solver", ["fixed", "newton"])
def test_the_bound_holds_after_every_round(solver):
    layer = Residual(net(2, 0.97), solver=solver).double()
    z = 2 * points(50, 2)
    x = layer(z)[0]
    for rounds in range(1, 12):
        found = layer.solve(x, rounds=rounds)
        off = (found.z - z).norm(dim=1)
        assert found.rounds == layer.evaluations == rounds
        assert (off <= found.error + 1e-12).all()
    layer.rounds = 2
    assert (layer.inverse(x)[0] - z).norm(dim=1).max() > 1e-6  # two rounds, as asked, and no error


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lipschitz", [0.5, 0.99])
def test_newton_and_the_fixed_point_agree_in_other_numbers_of_rounds(lipschitz, dtype):
    steep = Residual(linear(-lipschitz, 3).to(dtype), lipschitz=lipschitz)  # the slowest of all
    z = points(20, 3, dtype=dtype)
    x, allowed = steep(z)[0], 1e3 * torch.finfo(dtype).eps / (1 - lipschitz)
    rounds = []
    for steep.solver in ("fixed", "newton"):
        assert (steep.inverse(x)[0] - z).abs().max() < allowed
        rounds.append(steep.evaluations)
    assert rounds[1] <= 4 < rounds[0]


def test_a_net_that_does_not_contract_is_said_to():
    torch.manual_seed(0)
    stiff = nn.Sequential(nn.Linear(10, 10, bias=False), nn.Tanh())
    stiff[0].weight.data.normal_()
    layer = Residual(stiff, lipschitz=0.9)
    with pytest.raises(ValueError, match=r"did not converge in \d+ rounds.*contracts by lipschitz=0.9"):
        layer.inverse(0.3 * torch.randn(50, 10))
    good = Residual(net(2)).float()
    with pytest.raises(ValueError, match="1 of 3 points did not"):
        good.inverse(torch.tensor([[0.0, 0.0], [math.nan, 0.0], [1.0, 1.0]]))


def test_what_cannot_be_built():
    with pytest.raises(ValueError, match=r"Residual\(net, lipschitz=0.9\)"):
        Residual(nn.Linear(2, 2))
    for wrong in (1.0, 0.0):
        with pytest.raises(ValueError, match="lipschitz < 1"):
            Residual(nn.Linear(2, 2), lipschitz=wrong)
    with pytest.raises(ValueError, match="log_det must be one of"):
        Residual(net(2), log_det="hutchinson")
    with pytest.raises(ValueError, match="terms >= 1"):
        Residual(net(2), terms=0)


# ---------------------------------------------------------------------------- estimates


def estimates(layer: Residual, z: torch.Tensor, calls: int, rows: int) -> torch.Tensor:
    """Means over `rows` estimates at one point, (calls,): the number of terms is drawn once a call."""
    with torch.no_grad():
        return torch.stack([layer(z.expand(rows, -1))[1].mean() for _ in range(calls)])


@pytest.mark.parametrize("dim", [2, 8, 64])
def test_roulette_is_unbiased(dim):
    made, z = net(dim).double(), points(1, dim)
    exact = Residual(made, log_det="exact")(z)[1].item()
    jacobian = torch.autograd.functional.jacobian(lambda z: made(z[None])[0], z[0])
    assert exact == pytest.approx(torch.linalg.slogdet(torch.eye(dim) + jacobian).logabsdet.item())
    layer = Residual(made, log_det="roulette", terms=1, generator=torch.Generator().manual_seed(0))
    means = estimates(layer, z, 200, 16)
    error = means.std() / len(means) ** 0.5
    assert abs(means.mean() - exact) < 3 * error < 0.1 * dim


def test_the_series_is_off_by_what_it_leaves_out_and_within_its_bound():
    """g(z) = a z: signs give its traces without noise, so all error is the bias."""
    for factor in (0.8, -0.8):
        for terms in (1, 3, 10):
            layer = Residual(linear(factor, 4), lipschitz=0.8, log_det="series", terms=terms)
            found = layer(points(3, 4))[1]
            kept = -4 * sum((-factor) ** k / k for k in range(1, terms + 1))
            exact = 4 * math.log1p(factor)
            torch.testing.assert_close(found, torch.full_like(found, kept))
            assert 0 < abs(kept - exact) <= layer.bias_bound(4)
    assert Residual(net(2), log_det="roulette").bias_bound(2) == 0


@pytest.mark.parametrize("log_det", ["series", "roulette"])
def test_the_gradient_of_an_estimate_is_right_on_average(log_det):
    made = net(3, 0.6).double()
    z, weight = points(1, 3), made.linears()[0].weight

    def gradient(layer, rows):
        return torch.autograd.grad(layer(z.expand(rows, -1))[1].mean(), weight)[0][:2, 0]

    exact = gradient(Residual(made, log_det="exact"), 1)
    generator = torch.Generator().manual_seed(0)
    layer = Residual(made, log_det=log_det, terms=20 if log_det == "series" else 2, generator=generator)
    found = torch.stack([gradient(layer, 32) for _ in range(200)])
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - exact).abs() < 3 * error).all()
    assert (error < 0.1 * exact.abs().max()).all()


def test_a_generator_makes_estimates_repeat():
    layer = Residual(net(20).double(), generator=torch.Generator())
    z, found = points(5, 20), []
    for _ in range(2):
        layer.generator.manual_seed(7)
        found.append(layer(z)[1])
    assert found[0].equal(found[1]) and not found[0].equal(layer(z)[1])


def test_memory_does_not_grow_with_terms():
    made, z = net(20), points(64, 20, dtype=torch.float32)
    few, many = (
        kept_bytes(lambda n=n: Residual(made, log_det="series", terms=n)(z)[1].sum()) for n in (2, 40)
    )
    assert few == many


# ---------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("inverse", [False, True])
def test_first_and_second_derivatives_of_exact_layers(inverse):
    made = net(2, context=1).double()
    layer = Residual(made)
    key, weight = next(iter(layer.named_parameters()))

    class Way(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, context):
            return (self.layer.inverse if inverse else self.layer)(x, context)

    def both(x, context, value):
        return torch.func.functional_call(Way(), {f"layer.{key}": value}, (x, context))

    given = [t.requires_grad_() for t in (points(2, 2), points(2, 1), weight.detach().clone())]
    assert gradcheck(both, given)
    assert gradgradcheck(both, given, fast_mode=True)


def test_implicit_gradients_of_a_layer_with_estimates_are_those_of_the_exact_one():
    """z alone: only the log-determinant is estimated."""
    found = []
    made = net(3).double()
    for log_det in ("exact", "roulette"):
        layer, x = Residual(made, log_det=log_det), points(4, 3).requires_grad_()
        made.zero_grad()
        layer.to_z(x).cos().sum().backward()
        found.append([x.grad, *(p.grad.clone() for p in made.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_estimates_refuse_second_derivatives_and_transforms():
    layer, x = Residual(net(2).double(), log_det="roulette"), points(4, 2).requires_grad_()
    for way in (layer, layer.inverse):
        value, log_det = way(x)
        (slope,) = torch.autograd.grad(value.sum() + log_det.sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="has a first derivative only"):
            slope.sum().backward()
        with pytest.raises(RuntimeError, match=r"torch\.func"):
            torch.func.vmap(lambda row, way=way: way(row[None])[1])(x)
    linear = LipschitzLinear(2, 2, lipschitz=0.1).train()
    (slope,) = torch.autograd.grad(linear(torch.ones(1, 2)).sum(), linear.weight, create_graph=True)
    with pytest.raises(RuntimeError, match=r"Call eval\(\) first"):
        slope.sum().backward()


# ---------------------------------------------------------------------------- training


@pytest.mark.parametrize("log_det", ["exact", "roulette"])
def test_training_follows_the_norms_and_learns(log_det):
    torch.manual_seed(0)
    x = torch.randn(512, 2) @ torch.tensor([[1.0, 0.9], [0.0, 0.3]])
    flow = ResidualFlow(2, 3, 16, lipschitz=0.8, log_det=log_det)
    before = -flow.log_prob(x).mean().item()
    fit(flow, x, steps=100, lr=1e-2, batch_size=128)
    training = -flow.train().log_prob(x).mean().item()
    for layer in flow.modules():
        if isinstance(layer, LipschitzLinear):
            assert torch.linalg.matrix_norm(layer.scaled().detach(), 2) < layer.lipschitz * 1.02
    flow.eval()
    assert training < before - 0.3
    for part in flow.modules():
        if isinstance(part, Residual):
            part.log_det = "exact"
    assert abs(-flow.log_prob(x).mean().item() - training) < (0.01 if log_det == "exact" else 0.1)
    z = flow.to_latent(x)
    torch.testing.assert_close(flow.bijection(z)[0], x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("log_det", "says"), [("exact", ""), ("roulette", "looks at a value")])
def test_a_training_step_with_exact_determinants_can_be_recorded(log_det, says):
    flow = ResidualFlow(2, 2, 8, log_det=log_det)
    with Watch() as watch:
        (-flow.log_prob(torch.randn(5, 2)).mean()).backward()
    assert says in watch.obstacle and bool(says) == bool(watch.obstacle)


def test_a_flow_in_more_dimensions_scores_by_roulette():
    flow = Flow(Inverse(Residual(net(20).float())), StandardNormal((20,)))
    x = points(3, 20, dtype=torch.float32)
    assert flow.log_prob(x).shape == (3,) and flow.sample(2).shape == (2, 20)
