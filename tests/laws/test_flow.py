"""Flow and its bases: densities against scipy, samples, devices, copies."""

import copy
import math
import pickle

import pytest
import torch
from scipy import stats
from torch import distributions as td

from flowlib.base import Base, StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.checks import check_flow
from flowlib.flow import Flow
from flowlib.models import CNF, IAF, MAF, NSF, Glow, PlanarFlow, RadialFlow, RealNVP
from flowlib.planar import Sylvester
from flowlib.scalar import Affine, Exp, LeakyReLU, MixtureCDF, Sigmoid
from flowlib.table import evaluate
from flowlib.training import fit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_log_normal_is_scipys():
    flow = Flow(Chain(Affine(12.0, 0.5), Exp()), StandardNormal(())).double()
    x = torch.linspace(2e4, 8e5, 50, dtype=torch.float64)
    expected = stats.lognorm.logpdf(x.numpy(), s=0.5, scale=math.exp(12))
    # Affine's numbers were given as float32: exact for 12 and 0.5.
    torch.testing.assert_close(flow.log_prob(x), torch.as_tensor(expected))


@pytest.mark.parametrize(
    ("bijection", "base", "low", "high"),
    [
        (Affine(3.0, 2.0), StandardNormal(()), -15, 21),
        (Chain(Affine(0.5, -1.5), LeakyReLU(0.4)), StandardNormal(()), -12, 12),
        (Inverse(MixtureCDF(4)), td.Beta(2.0, 5.0), -12, 12),
        (Sigmoid(), td.Normal(0.5, 1.2), 1e-6, 1 - 1e-6),
        (Affine(1.0, 2.0), td.StudentT(5.0), -120, 120),
        (Affine(torch.tensor([1.0, -1.0]), 2.0), StandardNormal((2,)), -14, 14),
        (
            LeakyReLU(0.5),
            td.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.6], [0.6, 2.0]])),
            -12,
            12,
        ),
        (Affine(0.0, 2.0), td.Normal(torch.zeros(2), torch.tensor([1.0, 0.5])), -12, 12),
    ],
)
def test_flow_laws(bijection, base, low, high):
    check_flow(Flow(bijection, base), low=low, high=high)


@pytest.mark.parametrize(
    "base",
    [
        td.Uniform(0.0, 1.0),
        td.Beta(2.0, 5.0),
        td.Exponential(1.5),
        td.Independent(td.Uniform(torch.zeros(2), torch.ones(2)), 1),
    ],
)
def test_outside_the_support_the_density_is_zero_and_the_gradient_is_finite(base):
    flow = Flow(Affine(0.0, 2.0, trainable=True), base)
    shape = flow.event_shape
    x = torch.tensor([-0.5, 0.5, 1.0, 2.5]).view(-1, *[1] * len(shape)).expand(4, *shape)
    log_prob = flow.log_prob(x)
    assert log_prob[0] == -math.inf
    assert bool(torch.isfinite(log_prob[1:3]).all())
    log_prob[1:3].sum().backward()
    assert bool(torch.isfinite(flow.bijection.scale.grad).all())


def test_gradient_is_finite_even_when_some_points_lie_outside():
    flow = Flow(Affine(0.0, 2.0, trainable=True), td.Beta(2.0, 5.0))
    flow.log_prob(torch.tensor([-0.5, 0.7, 2.5])).clamp_min(-100).sum().backward()
    assert bool(torch.isfinite(flow.bijection.scale.grad).all())


@pytest.mark.parametrize(
    "base",
    [
        StandardNormal((2,)),
        Base(td.Normal(torch.zeros(2), torch.ones(2))),
        Base(td.MultivariateNormal(torch.zeros(2), torch.eye(2))),
        Base(
            td.MixtureSameFamily(
                td.Categorical(torch.ones(3)),
                td.Independent(td.Normal(torch.zeros(3, 2), torch.ones(3, 2)), 1),
            )
        ),
        Base(
            td.TransformedDistribution(
                td.Normal(torch.zeros(2), torch.ones(2)), [td.transforms.ExpTransform()]
            )
        ),
    ],
)
def test_bases_follow_dtype_and_survive_copies(base):
    flow = Flow(Affine(1.0, 2.0), base).double()
    x = flow.sample(6, generator=generator())
    assert x.dtype == torch.float64
    assert x.shape == (6, 2)
    expected = flow.log_prob(x)
    assert expected.dtype == torch.float64
    for twin in (copy.deepcopy(flow), pickle.loads(pickle.dumps(flow))):
        torch.testing.assert_close(twin.log_prob(x), expected)
        torch.testing.assert_close(twin.sample(6, generator=generator()), x)
    assert flow.float().sample(2).dtype == torch.float32


def test_moving_a_flow_does_not_change_the_callers_distribution():
    base = td.Normal(torch.zeros(2), torch.ones(2))
    Flow(Affine(), base).double()
    assert base.loc.dtype == torch.float32


def test_sample_with_log_prob_agrees_with_log_prob_and_carries_gradients():
    flow = Flow(Affine(1.0, 2.0, trainable=True), StandardNormal((3,)))
    x, log_prob = flow.sample_with_log_prob(5, generator=generator())
    torch.testing.assert_close(log_prob, flow.log_prob(x))
    x.sum().backward()
    assert flow.bijection.shift.grad is not None
    assert not flow.sample(5).requires_grad


def test_temperature_scales_the_base():
    flow = Flow(Affine(5.0, 2.0), StandardNormal((1,)))
    cool = flow.sample(1000, temperature=0.5, generator=generator())
    warm = flow.sample(1000, generator=generator())
    torch.testing.assert_close((cool - 5) * 2, warm - 5)
    assert bool((flow.sample(4, temperature=0.0) == 5).all())
    shifted = Flow(Affine(), td.Normal(3.0, 1.0))
    torch.testing.assert_close(shifted.sample(7, temperature=0.0), torch.full((7,), 3.0))
    with pytest.raises(ValueError, match="bounded support"):
        Flow(Affine(), td.Beta(2.0, 5.0)).sample(3, temperature=0.5)
    with pytest.raises(ValueError, match="temperature must be >= 0"):
        flow.sample(3, temperature=-1.0)


@pytest.mark.parametrize("base", [StandardNormal(()), td.Beta(2.0, 5.0), td.Normal(0.0, 1.0)])
def test_a_generator_makes_draws_repeat_and_leaves_the_global_stream_alone(base):
    flow = Flow(Affine(), base)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = flow.sample(5, generator=generator(3))
    torch.testing.assert_close(torch.rand(3), expected)
    torch.testing.assert_close(flow.sample(5, generator=generator(3)), first)
    assert not torch.equal(flow.sample(5, generator=generator(4)), first)


def test_trace_visits_every_intermediate_both_ways():
    flow = Flow(Chain(Affine(1.0, 2.0), LeakyReLU(0.5), Affine(0.0, 3.0)), StandardNormal((2,)))
    z = torch.randn(4, 2, generator=generator())
    steps = flow.path(z)
    assert [step.name for step in steps] == ["z", "Affine", "LeakyReLU", "Affine"]
    x, log_det = flow.bijection(z)
    torch.testing.assert_close(steps[-1].value, x)
    torch.testing.assert_close(steps[-1].log_det, log_det)
    back = flow.path(x, inverse=True)
    assert back[0].name == "x"
    torch.testing.assert_close(back[-1].value, z)
    for there, again in zip(steps, reversed(back), strict=True):
        torch.testing.assert_close(there.value, again.value)


def test_state_dict_round_trip():
    flow = Flow(Chain(Affine(1.0, 2.0, trainable=True), MixtureCDF(2)), td.Beta(2.0, 2.0))
    twin = Flow(Chain(Affine(0.0, 1.0, trainable=True), MixtureCDF(2)), td.Beta(2.0, 2.0))
    twin.load_state_dict(flow.state_dict())
    z = torch.linspace(0.1, 0.9, 5)
    torch.testing.assert_close(twin.bijection(z), flow.bijection(z))


def test_repr_can_be_read():
    text = repr(Flow(Chain(*[Affine(1.0, 2.0, trainable=True) for _ in range(20)]), StandardNormal(())))
    assert "40 parameters" in text
    assert "10 more" in text


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Flow(torch.nn.ReLU(), StandardNormal(())), TypeError, "needs a Bijection first, got ReLU"),
        (lambda: Flow(Affine(), "normal"), TypeError, "got str"),
        (
            lambda: Flow(Affine(), StandardNormal((2,))).log_prob(torch.zeros(4, 3)),
            ValueError,
            r"\(batch, 2\)",
        ),
        (lambda: Flow(Affine(), StandardNormal((2,))).sample(2.5), ValueError, "whole number >= 0, got 2.5"),
    ],
)
def test_errors_state_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("model", [PlanarFlow, RadialFlow, RealNVP])
def test_a_flow_without_context_refuses_one(model):
    flow, x, context = model(2, layers=2), torch.randn(5, 2), torch.zeros(5, 3)
    for call in (
        lambda: flow.log_prob(x, context),
        lambda: flow.log_prob(x, context[:2]),
        lambda: flow.sample(5, context),
        lambda: flow.sample_with_log_prob(5, context),
        lambda: flow.path(x, context),
        lambda: fit(flow, x, context=context, steps=1),
        lambda: evaluate(flow, x, context=context),
    ):
        with pytest.raises(ValueError, match="without context"):
            call()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_flow_on_cuda():
    flow = Flow(Inverse(MixtureCDF(4)), td.Beta(2.0, 5.0)).to("cuda")
    x = flow.sample(5)
    assert x.device.type == "cuda"
    assert flow.log_prob(x).device.type == "cuda"


INFINITE = {
    "RealNVP": lambda: RealNVP(2, 2, 8),
    "NSF": lambda: NSF(2, 2, 8),
    "MAF": lambda: MAF(2, 2, 8),
    "IAF": lambda: IAF(2, 2, 8),
    "CNF": lambda: CNF(2, 8, steps=2),
    "PlanarFlow": lambda: PlanarFlow(2, 2),
    "PlanarFlow density": lambda: PlanarFlow(2, 2, "density"),
    "RadialFlow": lambda: RadialFlow(2, 2),
    "Sylvester": lambda: Flow(Sylvester(2), StandardNormal(2)),
    "Glow": lambda: Glow((1, 2, 2), 1, 1, 8).eval(),
    "Exp": lambda: Flow(Exp(), StandardNormal(2)),
    "Sigmoid": lambda: Flow(Sigmoid(), StandardNormal(2)),
    "MixtureCDF": lambda: Flow(Inverse(MixtureCDF(2, (2,))), Base(td.Uniform(torch.zeros(2), torch.ones(2)))),
}


@pytest.mark.parametrize("name", INFINITE)
def test_an_infinite_point_has_no_density_and_leaves_the_others_alone(name):
    torch.manual_seed(0)
    flow = INFINITE[name]()
    x = torch.rand(6, *flow.event_shape)
    bad = x.clone()
    bad.view(6, -1)[0, 0], bad.view(6, -1)[3, 1] = math.inf, -math.inf
    left = torch.tensor([1, 2, 4, 5])

    def score(x, rows):
        x = x.clone().requires_grad_()
        log_prob = flow.log_prob(x)
        wanted = [x, *(p for p in flow.parameters() if p.requires_grad)]
        gradients = torch.autograd.grad(log_prob[rows].sum(), wanted, allow_unused=True)
        return log_prob, gradients

    log_prob, (by_x, *by_parameters) = score(bad, left)
    expected, (by_x_alone, *by_parameters_alone) = score(x[left], torch.arange(4))
    assert log_prob[[0, 3]].equal(torch.full((2,), -math.inf))
    torch.testing.assert_close(log_prob[left], expected)
    torch.testing.assert_close(by_x[left], by_x_alone)
    assert not by_x[[0, 3]].any()
    for ours, alone in zip(by_parameters, by_parameters_alone, strict=True):
        if alone is not None:
            torch.testing.assert_close(ours, alone, rtol=1e-4, atol=1e-5)
    assert flow.log_prob(bad[:1]).item() == -math.inf
    if isinstance(flow.base, StandardNormal):  # torch's Independent cannot do without rows
        assert flow.log_prob(bad[:0]).shape == (0,)


@pytest.mark.parametrize("dim", [2, 4, 16])
@pytest.mark.parametrize("model", [RealNVP, NSF, MAF, IAF])
def test_deep_flows_start_near_their_base(model, dim):
    for seed in range(2):
        torch.manual_seed(seed)
        flow = model(dim, layers=64)
        x = torch.randn(500, dim)
        with torch.no_grad():
            assert abs(flow.log_prob(x).mean() - flow.base.log_prob(x).mean()) < 3
            torch.testing.assert_close(flow.bijection(flow.bijection.inverse(x)[0])[0], x, rtol=0, atol=1e-3)
