"""Continuous flows: traces, solvers, gradients and noise, against closed forms and torchdiffeq."""

import math

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.checks import check_bijection, check_flow
from flowlib.continuous import ADAPTIVE, FIXED_GRID, Continuous, VelocityMLP, jacobian_trace
from flowlib.flow import Flow
from flowlib.models import CNF
from flowlib.scalar import Affine

DTYPES = [torch.float32, torch.float64]


def trained(net: nn.Module, scale: float = 0.5, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return net


class Rotation(nn.Module):
    """dz/dt = A z, whose solution is the matrix exponential."""

    matrix = torch.tensor([[0.3, -2.0], [1.5, -0.8]], dtype=torch.float64)

    def forward(self, t, z, context=None):
        return z @ self.matrix.T


class Stiff(nn.Module):
    """Reaches infinity in finite time: no solver can pass."""

    def forward(self, t, z, context=None):
        return 100 * z**3


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize("hidden", [(8,), (8, 6), (5, 6, 7)])
@pytest.mark.parametrize(("dim", "context"), [(1, 0), (2, 3), (5, 0), (64, 2)])
def test_traces_agree_with_the_jacobian(dim, context, hidden, activation):
    net = trained(VelocityMLP(dim, hidden, context=context, activation=activation).double())
    z = torch.randn(4, dim, dtype=torch.float64)
    c = torch.randn(4, context, dtype=torch.float64) if context else None
    jacobian = (
        torch.func.vmap(torch.func.jacrev(lambda one, row: net(0.3, one[None], row)[0]))(
            z, None if c is None else c[:, None]
        )
        if context
        else torch.func.vmap(torch.func.jacrev(lambda one: net(0.3, one[None])[0]))(z)
    )
    noise = torch.randn(4, dim, dtype=torch.float64)
    exact = jacobian.diagonal(dim1=1, dim2=2).sum(1)
    estimate = torch.einsum("bi,bij,bj->b", noise, jacobian, noise)
    for compute in (net.with_trace, lambda *rest: jacobian_trace(net, *rest)):
        for e, truth in ((None, exact), (noise, estimate)):
            v, trace = compute(0.3, z, c, e)
            torch.testing.assert_close(v, net(0.3, z, c), rtol=0, atol=1e-12)
            torch.testing.assert_close(trace, truth, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", ["rk4", "dopri5"])
def test_linear_field_is_the_matrix_exponential(method):
    layer = Continuous(Rotation(), method=method, steps=200, rtol=1e-10, atol=1e-10)
    z = torch.randn(6, 2, dtype=torch.float64)
    x, log_det = layer(z)
    torch.testing.assert_close(x, z @ torch.linalg.matrix_exp(Rotation.matrix).T, rtol=0, atol=1e-8)
    torch.testing.assert_close(log_det, Rotation.matrix.trace().expand(6), rtol=0, atol=1e-8)
    again, log_det_inverse = layer.inverse(x)
    torch.testing.assert_close(again, z, rtol=0, atol=1e-8)
    torch.testing.assert_close(log_det_inverse, -log_det, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_fixed_grids_have_their_order(method, order):
    net = trained(VelocityMLP(2, (16, 16)).double())
    z = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        truth, true_log_det = Continuous(net, method="dopri5", rtol=1e-12, atol=1e-12)(z)
        errors = []
        for steps in (16, 32):
            x, log_det = Continuous(net, method=method, steps=steps)(z)
            errors.append(float((x - truth).abs().max() + (log_det - true_log_det).abs().max()))
    assert order - 0.5 < math.log2(errors[0] / errors[1]) < order + 1.5


@pytest.mark.parametrize("method", ["euler", "midpoint"])
def test_fixed_grid_is_torchdiffeqs(method):
    net = trained(VelocityMLP(2, (8, 8)).double())
    z = torch.randn(5, 2, dtype=torch.float64)
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    expected = odeint(lambda t, z: net(t, z), z, times, method=method)[-1]
    x, _ = Continuous(net, method=method, steps=5)(z)
    torch.testing.assert_close(x, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_laws(dim):
    net = trained(VelocityMLP(dim, (16, 16)).double(), 0.3)
    check_bijection(
        Continuous(net, method="dopri5", rtol=1e-9, atol=1e-9),
        z=torch.randn(4, dim, dtype=torch.float64),
        tolerance=1e-7,
    )


@pytest.mark.parametrize("dim", [2, 64])
@pytest.mark.parametrize("method", FIXED_GRID)
def test_round_trip_of_the_default_grid_in_float32(dim, method):
    layer = Continuous(trained(VelocityMLP(dim, (16, 16)), 0.2), method=method, steps=64)
    z = torch.randn(16, dim)
    x, log_det = layer(z)
    again, log_det_inverse = layer.inverse(x)
    tolerance = {"euler": 0.2, "midpoint": 5e-3, "rk4": 1e-4}[method]
    torch.testing.assert_close(again, z, rtol=0, atol=tolerance)
    torch.testing.assert_close(log_det, -log_det_inverse, rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [1, 2])
def test_cnf_obeys_the_laws(dim, dtype):
    flow = trained(CNF(dim, (16, 16), method="dopri5", rtol=1e-6, atol=1e-6), 0.4)
    check_flow(flow.to(dtype), tolerance=1e-3)


def test_cnf_with_context():
    flow = trained(CNF(2, (16, 16), context=3, method="dopri5", rtol=1e-5, atol=1e-5), 0.3).double()
    context = torch.randn(6, 3, dtype=torch.float64)
    x = torch.zeros(6, 2, dtype=torch.float64)
    check_flow(flow, x, context=context, tolerance=1e-3)
    assert flow.log_prob(x, context).std() > 0.01
    with pytest.raises(ValueError, match="needs a context"):
        flow.log_prob(x)
    with pytest.raises(ValueError, match="without context"):
        CNF(2).double().log_prob(x, context)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_extreme_inputs(size, activation, dtype):
    flow = trained(CNF(2, (8, 8), activation=activation, steps=4), 0.1).to(dtype)
    x = torch.full((3, 2), size, dtype=dtype, requires_grad=True)
    log_prob = flow.log_prob(x)
    log_prob.sum().backward()
    assert torch.isfinite(log_prob).all() and torch.isfinite(x.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in flow.parameters())


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_hutchinson_is_unbiased(noise):
    net = trained(VelocityMLP(3, (8, 8)).double(), 0.4)
    z = torch.randn(1, 3, dtype=torch.float64).expand(20_000, 3)
    with torch.no_grad():
        _, exact = Continuous(net, steps=4)(z[:1])
        estimator = Continuous(
            net, trace="hutchinson", noise=noise, steps=4, generator=torch.Generator().manual_seed(0)
        )
        _, estimates = estimator(z)
    error = float(estimates.mean() - exact)
    assert estimates.std() > 1e-3
    assert abs(error) < 4 * float(estimates.std()) / math.sqrt(len(z))


def test_rademacher_noise_varies_less_than_gaussian():
    net = trained(VelocityMLP(3, (8, 8)), 0.4)
    z = torch.randn(1, 3).expand(5000, 3)
    spread = {}
    for noise in ("rademacher", "gaussian"):
        with torch.no_grad():
            layer = Continuous(
                net, trace="hutchinson", noise=noise, steps=2, generator=torch.Generator().manual_seed(0)
            )
            spread[noise] = float(layer(z)[1].std())
    assert spread["rademacher"] < spread["gaussian"]


def test_hutchinson_noise_repeats_with_its_generator_and_is_fixed_in_a_solve():
    seen = []

    class Spy(VelocityMLP):
        def with_trace(self, t, z, context=None, noise=None):
            seen.append(noise)
            return super().with_trace(t, z, context, noise)

    generator = torch.Generator()
    layer = Continuous(trained(Spy(2)), trace="hutchinson", steps=3, generator=generator)
    z = torch.randn(50, 2)
    first, second, other = ((generator.manual_seed(seed), layer(z)[1])[1] for seed in (1, 1, 2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.equal(first, other)
    assert len({id(noise) for noise in seen[:12]}) == 1 and seen[0] is not seen[12]
    assert set(seen[0].unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("method", ["rk4", "dopri5"])
@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
def test_adjoint_gives_the_direct_gradient(trace, method, context):
    net = trained(VelocityMLP(2, (8, 8), context=context).double())
    z = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    c = torch.randn(5, context, dtype=torch.float64, requires_grad=True) if context else None
    gradients = []
    for adjoint in (False, True):
        generator = torch.Generator().manual_seed(0)
        layer = Continuous(
            net,
            trace=trace,
            method=method,
            steps=40,
            rtol=1e-9,
            atol=1e-9,
            adjoint=adjoint,
            generator=generator,
        )
        x, log_det = layer.inverse(z, c)
        loss = x.square().sum() + log_det.sum()
        forward_calls = layer.evaluations
        wanted = [z, *net.parameters(), *([c] if context else [])]
        gradients.append(torch.autograd.grad(loss, wanted))
        assert (layer.evaluations > forward_calls) == adjoint
    for direct, by_adjoint in zip(*gradients, strict=True):
        torch.testing.assert_close(direct, by_adjoint, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("method", "calls"), [("euler", 6), ("midpoint", 12), ("rk4", 24)])
def test_evaluations_are_counted(method, calls):
    layer = Continuous(VelocityMLP(2), method=method, steps=6)
    layer(torch.randn(3, 2))
    assert layer.evaluations == calls
    layer.inverse(torch.randn(3, 2))
    assert layer.evaluations == calls


@pytest.mark.parametrize("method", ADAPTIVE)
def test_adaptive_methods_report_their_calls(method):
    net = trained(VelocityMLP(2, (8, 8)).double(), 0.3)
    layer = Continuous(net, method=method, rtol=1e-6, atol=1e-6)
    z = torch.randn(3, 2, dtype=torch.float64)
    with torch.no_grad():
        x, _ = layer(z)
        assert layer.evaluations > 3
        torch.testing.assert_close(layer.inverse(x)[0], z, rtol=0, atol=1e-3)


@pytest.mark.parametrize("start", [torch.ones(3, 2), torch.full((3, 2), math.nan)])
def test_failures_are_told_in_words(start):
    layer = Continuous(Stiff(), method="dopri5")
    with pytest.raises(RuntimeError, match=r"dopri5 solver gave up after .* evaluations.*tolerances"):
        layer(start)


@pytest.mark.parametrize("method", ["rk4", "dopri5"])
def test_energy_of_a_straight_path(method):
    class Wind(nn.Module):
        def forward(self, t, z, context=None):
            return torch.tensor([3.0, 4.0]).expand_as(z)

    layer = Continuous(Wind(), method=method)
    for times in ((0.0, 1.0), (1.0, 0.0)):
        _, _, energy = layer.integrate(torch.randn(5, 2), None, *times, energy=True)
        torch.testing.assert_close(energy, torch.full((5,), 25.0))
    assert layer.integrate(torch.randn(5, 2))[2] is None


def test_energy_can_be_penalised():
    net = trained(VelocityMLP(2, (8, 8)))
    _, _, energy = Continuous(net, steps=4).integrate(torch.randn(5, 2), energy=True)
    energy.mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_any_net_on_any_event_shape():
    """A convolutional velocity: no trace of its own, images as events."""

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, t, z, context=None):
            return torch.tanh(self.net(z)) * (1 + t)

    torch.manual_seed(0)
    layer = Continuous(Field().double(), method="dopri5", rtol=1e-7, atol=1e-7)
    check_bijection(layer, z=torch.randn(2, 1, 2, 2, dtype=torch.float64), tolerance=1e-5)
    z = torch.randn(2000, 1, 2, 2, dtype=torch.float64)[:1].expand(2000, 1, 2, 2)
    with torch.no_grad():
        _, exact = Continuous(layer.net, steps=3)(z[:1])
        _, estimates = Continuous(layer.net, trace="hutchinson", steps=3)(z)
    assert abs(float(estimates.mean() - exact)) < 5 * float(estimates.std()) / math.sqrt(2000)


def test_every_parameter_of_an_untrained_cnf_learns_after_one_step():
    torch.manual_seed(0)
    flow = CNF(2, (8, 8))
    x = torch.randn(64, 2) * 2 + 1
    optimiser = torch.optim.Adam(flow.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = -flow.log_prob(x).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(parameter.grad.abs().sum() > 0 for parameter in flow.parameters())
    entropy_of_the_data = 2 * (0.5 * math.log(2 * math.pi * math.e) + math.log(2))
    assert losses[-1] < losses[0] - 1 and losses[-1] < entropy_of_the_data + 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trace": "none"}, "trace must be one of exact, hutchinson"),
        ({"noise": "uniform"}, "noise must be one of"),
        ({"method": "rk5"}, "method must be one of euler, midpoint, rk4, dopri5"),
        ({"steps": 0}, "steps >= 1"),
        ({"hidden": ()}, "hidden widths"),
        ({"activation": "relu"}, "activation must be one of"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CNF(2, **arguments)


@pytest.mark.parametrize("method", FIXED_GRID)
def test_the_adjoint_runs_the_same_rule(method):
    net = trained(VelocityMLP(2, (8, 8)).double(), 1.0)
    z = torch.randn(5, 2, dtype=torch.float64)
    direct, adjoint = (Continuous(net, method=method, steps=3, adjoint=way)(z) for way in (False, True))
    torch.testing.assert_close(direct, adjoint, rtol=0, atol=1e-12)


@pytest.mark.parametrize("by", ["x", "parameters"])
def test_a_second_derivative_of_the_adjoint_is_refused_by_name(by):
    layer = Continuous(trained(VelocityMLP(2, (8,))), steps=2, adjoint=True)
    z = torch.randn(3, 2, requires_grad=True)
    wanted = [z] if by == "x" else list(layer.parameters())
    gradients = torch.autograd.grad(layer(z)[1].sum(), wanted, create_graph=True)
    with pytest.raises(RuntimeError, match="adjoint=False for second derivatives"):
        torch.autograd.grad(sum(gradient.square().sum() for gradient in gradients), wanted)


def test_the_adjoint_differentiates_by_the_parameters_that_it_was_called_with():
    layer = Continuous(trained(VelocityMLP(2, (8,)), 0.3).double(), steps=60, adjoint=True)
    z = torch.randn(3, 2, dtype=torch.float64)
    twice = {name: 2 * value.detach() for name, value in layer.named_parameters()}
    gradients = []
    for adjoint in (True, False):
        layer.adjoint = adjoint
        given = {name: value.clone().requires_grad_() for name, value in twice.items()}
        _, log_det = torch.func.functional_call(layer, given, (z,))
        gradients.append(torch.autograd.grad(log_det.sum(), [*given.values()], allow_unused=True))
    for by_adjoint, direct in zip(*gradients, strict=True):
        if direct is not None:
            torch.testing.assert_close(by_adjoint, direct, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("solver", [{"adjoint": True}, {"method": "dopri5"}])
def test_what_torch_func_cannot_transform_is_refused_in_words(solver):
    flow = CNF(2, 8, **solver)
    with pytest.raises(RuntimeError, match=r"Continuous with .* does not work inside torch.func"):
        torch.func.vmap(lambda row: flow.log_prob(row[None])[0])(torch.randn(3, 2))


def test_a_step_is_as_small_as_the_worst_row_needs():
    """One hard row among easy ones keeps the tolerance, however many the easy ones are."""

    class Spin(nn.Module):
        def forward(self, t, z, context=None):
            speed = 20 * z.square().sum(1, keepdim=True)
            return speed * torch.stack([-z[:, 1], z[:, 0]], 1)

    hard = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    easy = torch.full((1000, 2), 1e-3, dtype=torch.float64)
    layer = Continuous(Spin(), method="dopri5", rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        alone, beside = layer.to_x(hard), layer.to_x(torch.cat([hard, easy]))[:1]
    truth = torch.tensor([[math.cos(20), math.sin(20)]], dtype=torch.float64)
    torch.testing.assert_close(alone, truth, rtol=0, atol=0.02)
    torch.testing.assert_close(beside, truth, rtol=0, atol=0.02)


def test_an_assertion_of_the_net_is_not_the_solvers():
    class Careful(nn.Module):
        def forward(self, t, z, context=None):
            raise AssertionError("my own")

    with pytest.raises(AssertionError, match="my own"):
        Continuous(Careful(), method="dopri5").to_x(torch.randn(3, 2))


@pytest.mark.parametrize("solver", [{}, {"method": "dopri5"}, {"adjoint": True}])
@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
def test_a_sample_computes_no_trace(trace, solver):
    class Spy(VelocityMLP):
        def with_trace(self, *_):
            raise AssertionError("the trace was computed")

    layer = Continuous(trained(Spy(2, 8)), trace=trace, generator=torch.Generator(), **solver)
    before = layer.generator.get_state()
    flow = Flow(Chain(layer, Inverse(Affine(1.0, 2.0))), StandardNormal(2))
    x = flow.sample(5, generator=torch.Generator().manual_seed(0))
    assert layer.generator.get_state().equal(before)  # nor its noise drawn
    plain = Continuous(layer.net, **solver)
    plain.net.__class__ = VelocityMLP
    z = flow.base.sample(5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(x, (plain(z)[0] - 1) / 2, rtol=0, atol=1e-4)
    torch.testing.assert_close(plain.to_z(plain.to_x(z)), z, rtol=0, atol=1e-2)


def test_noise_may_be_kept_for_the_way_back():
    net = trained(VelocityMLP(3, (8, 8)).double(), 0.5)
    z = torch.randn(50, 3, dtype=torch.float64)
    off = {}
    for redraw in (True, False):
        layer = Continuous(net, trace="hutchinson", steps=40, redraw=redraw)
        x, log_det = layer(z)
        off[redraw] = (log_det + layer.inverse(x)[1]).abs().mean().item()
    assert off[False] < 1e-4 < 1e-2 < off[True]
