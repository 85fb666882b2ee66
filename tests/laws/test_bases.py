"""Bases with parameters: densities against scipy, draws, training, copies; what is no base is refused."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from scipy import stats
from torch import distributions as td
from torch import nn

from flowlib import Affine, Base, DiagonalNormal, Flow, Linear, MixtureNormal, StandardNormal, StudentT, fit
from flowlib.checks import check_flow
from flowlib.training import fit_energy

Z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def shaken(base):
    """With parameters as after some training, in float64."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return base.double()


def numpy(tensor):
    return tensor.detach().numpy()


def normal(base):
    return stats.norm.logpdf(Z, numpy(base.mean), numpy(base.deviation)).sum(1)


def mixture(base):
    terms = stats.norm.pdf(Z[:, None], numpy(base.means), numpy(base.log_deviations.exp())).prod(2)
    return (numpy(base.weights) * terms).sum(1)


def student(base):
    return stats.t.logpdf(Z, numpy(base.df), numpy(base.mean), numpy(base.log_scale.exp())).sum(1)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: DiagonalNormal(2), normal),
        (lambda: MixtureNormal(2, 3), lambda base: torch.as_tensor(mixture(base)).log()),
        (lambda: StudentT(2, df=3.0), student),
    ],
    ids=["DiagonalNormal", "MixtureNormal", "StudentT"],
)
def test_densities_are_scipys_and_draws_follow_them(make, expected):
    base = shaken(make())
    torch.testing.assert_close(base.log_prob(Z), torch.as_tensor(expected(base)))
    twin = copy.deepcopy(base).float()
    draws = twin.sample(7, generator=torch.Generator().manual_seed(2))
    assert draws.shape == (7, 2) and draws.dtype == torch.float32
    assert torch.equal(draws, twin.sample(7, generator=torch.Generator().manual_seed(2)))
    for coordinate in range(2):
        drawn = numpy(base.sample(4000, generator=torch.Generator().manual_seed(3)))[:, coordinate]
        if isinstance(base, StudentT):
            law = stats.t(*(p[coordinate].item() for p in (base.df, base.mean, base.log_scale.exp()))).cdf
        elif isinstance(base, DiagonalNormal):
            law = stats.norm(*(p[coordinate].item() for p in (base.mean, base.deviation))).cdf
        else:
            parts = [numpy(p)[:, coordinate] for p in (base.means, base.log_deviations.exp())]

            def law(x, parts=parts):
                return stats.norm.cdf(x[:, None], *parts) @ numpy(base.weights)

        assert stats.kstest(drawn, law).pvalue > 1e-3


@pytest.mark.parametrize("make", [DiagonalNormal, MixtureNormal, StudentT])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_any_shape_of_event(make, shape):
    base = make(shape)
    z = base.sample(5)
    assert z.shape == (5, *shape) and base.log_prob(z).shape == (5,)
    assert torch.isfinite(base.log_prob(z)).all()


def test_at_temperature_zero_draws_are_means():
    assert torch.equal(DiagonalNormal(2).sample(4, temperature=0.0), torch.zeros(4, 2))
    assert torch.equal(StudentT(2).sample(4, temperature=0.0), torch.zeros(4, 2))
    base = MixtureNormal(2, 3)
    draws = base.sample(20, temperature=0.0)
    assert all(any(torch.equal(draw, mean) for mean in base.means) for draw in draws)


@pytest.mark.parametrize(
    "base",
    [lambda: DiagonalNormal(1), lambda: StudentT(1, df=4.0), lambda: MixtureNormal(1, 2)],
    ids=["DiagonalNormal", "StudentT", "MixtureNormal"],
)
def test_flows_on_them_obey_the_laws(base):
    check_flow(Flow(Affine(0.5, 2.0, trainable=True), base()), low=-120, high=120)


class Own(nn.Module):
    """A base of a reader's own: a Laplace whose place is learned."""

    def __init__(self):
        super().__init__()
        self.event_shape = (2,)
        self.place = nn.Parameter(torch.zeros(2))

    def log_prob(self, z):
        return -(z - self.place).abs().sum(1) - 2 * math.log(2)

    def sample(self, n, temperature=1.0, generator=None):
        return self.place + td.Laplace(torch.zeros(2), torch.ones(2)).sample((n,))


def learned_base(kind):
    loc = nn.Parameter(torch.zeros(2))
    if kind == "Normal":
        return td.Normal(loc, torch.ones(2)), loc
    if kind == "Independent":
        return td.Independent(td.Laplace(loc, nn.Parameter(torch.ones(2))), 1), loc
    if kind == "one number for all":
        loc = nn.Parameter(torch.zeros(()))
        return td.Normal(loc, torch.ones(2)), loc
    if kind == "MultivariateNormal":
        return td.MultivariateNormal(loc, scale_tril=torch.eye(2)), loc
    if kind == "own":
        base = Own()
        return base, base.place
    base = {"DiagonalNormal": DiagonalNormal, "StudentT": StudentT}[kind](2)
    return base, base.mean


@pytest.mark.parametrize(
    "kind",
    [
        "Normal", "Independent", "one number for all", "MultivariateNormal", "own", "DiagonalNormal",
        "StudentT",
    ],
)  # fmt: skip
def test_parameters_of_a_base_are_trained_moved_saved_and_copied(kind):
    torch.manual_seed(0)
    base, loc = learned_base(kind)
    flow = Flow(Linear(2, bias=False), base)
    assert any(parameter is loc for parameter in flow.parameters())
    fit(flow, 5 + torch.randn(400, 2), steps=200, lr=0.1, device="cpu")
    assert float(loc.detach().abs().max()) > 1
    x = torch.randn(6, 2)
    twin = copy.deepcopy(flow)
    assert torch.equal(twin.log_prob(x), flow.log_prob(x))
    fresh = Flow(Linear(2, bias=False), learned_base(kind)[0])
    fresh.load_state_dict(flow.state_dict())
    assert torch.equal(fresh.log_prob(x), flow.log_prob(x))
    double = copy.deepcopy(flow).double()
    if kind != "own":
        assert double.sample(3).dtype == torch.float64
    torch.testing.assert_close(double.log_prob(x.double()).float(), flow.log_prob(x), rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        loc.add_(1.0)
    assert torch.equal(twin.log_prob(x), fresh.log_prob(x))  # copies share nothing with it
    assert not torch.equal(twin.log_prob(x), flow.log_prob(x))


def test_a_learned_base_finds_mean_and_deviation_of_the_data():
    x = torch.tensor([3.0, -1.0]) + torch.tensor([0.5, 2.0]) * torch.randn(
        2000, 2, generator=torch.Generator().manual_seed(0)
    )
    flow = Flow(Affine(), DiagonalNormal(2))
    fit(flow, x, steps=800, batch_size=2000, lr=0.03, device="cpu")
    torch.testing.assert_close(flow.base.mean.detach(), x.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(flow.base.deviation.detach(), x.std(0), atol=0.02, rtol=0)


def test_draws_carry_gradients_to_a_learned_base():
    flow = Flow(Affine(), DiagonalNormal(1))
    fit_energy(flow, lambda x: -0.5 * ((x[:, 0] - 2) / 0.5) ** 2, steps=400, lr=0.03, device="cpu")
    assert flow.base.mean.item() == pytest.approx(2, abs=0.1)
    assert flow.base.deviation.item() == pytest.approx(0.5, abs=0.1)


def test_what_draws_carry_no_gradient_to_is_not_trained_by_draws():
    flow = Flow(Linear(2), MixtureNormal(2))
    with pytest.raises(RuntimeError, match="no gradient to the weights of the mixture"):
        fit_energy(flow, lambda x: -x.square().sum(1), steps=1, device="cpu")
    with torch.no_grad():
        x, log_prob = flow.sample_with_log_prob(5)
    torch.testing.assert_close(log_prob, flow.log_prob(x).detach())
    flow.base.logits.requires_grad_(False)
    fit_energy(flow, lambda x: -x.square().sum(1), steps=1, device="cpu")


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: td.Bernoulli(torch.full((2,), 0.5)), ValueError, "Bernoulli is discrete.*Dequantize"),
        (lambda: td.Poisson(torch.ones(2)), ValueError, "Poisson is discrete"),
        (lambda: td.Categorical(torch.ones(3)), ValueError, "Categorical is discrete"),
        (lambda: td.OneHotCategorical(torch.ones(3)), ValueError, "OneHotCategorical is discrete"),
        (lambda: td.Independent(td.Geometric(torch.full((2,), 0.5)), 1), ValueError, "is discrete"),
        (
            lambda: td.MixtureSameFamily(td.Categorical(torch.ones(2)), td.Poisson(torch.ones(2))),
            ValueError,
            "is discrete",
        ),
        (lambda: td.Dirichlet(torch.ones(3)), ValueError, "without volume"),
        (lambda: td.Normal(nn.Parameter(torch.zeros(2)).exp(), 1.0), TypeError, "nn.Parameter itself"),
        (lambda: td.Normal(torch.zeros(2, requires_grad=True), 1.0), TypeError, "nn.Parameter itself"),
        (lambda: td.Beta(nn.Parameter(torch.ones(2)), torch.ones(2)), TypeError, "nn.Parameter itself"),
        (lambda: nn.Linear(2, 2), TypeError, "Linear has no event_shape, log_prob, sample"),
        (lambda: StudentT(2, df=0.0), ValueError, "df > 0"),
        (lambda: MixtureNormal(2, 0), ValueError, "at least one component"),
    ],
)
def test_what_is_no_base_is_refused_in_words(make, error, says):
    with pytest.raises(error, match=says):
        Flow(Affine(), make())


def test_a_base_that_learns_nothing_is_as_before():
    base = Base(td.Normal(torch.zeros(2), torch.ones(2)))
    assert base.distribution is base.distribution and not list(base.parameters())
    torch.testing.assert_close(base.log_prob(Z.float()), StandardNormal(2).log_prob(Z.float()))
