"""What `fit` says of data that cannot be fitted and of runs that break; rows with weights; compiled flows."""

from __future__ import annotations

import copy
import math
import warnings

import pytest
import torch
from torch import nn

from flowlib import ActNorm, Chain, Exp, Flow, Linear, RealNVP, Standardizer, StandardNormal, fit
from flowlib.bijection import Bijection
from flowlib.data import ames_prices, banana, house_prices

CPU = {"device": "cpu"}


def linear_flow(dim=2):
    return Flow(Linear(dim), StandardNormal(dim))


def weights_of(flow):
    return torch.cat([parameter.detach().flatten() for parameter in flow.parameters()])


# ---------------------------------------------------------------------------- numbers that are none


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["x", "valid", "context", "valid_context", "weights", "valid_weights"])
def test_a_number_that_is_none_is_named_before_training(name, bad):
    given = {
        "x": banana(500), "valid": banana(400), "context": banana(500), "valid_context": banana(400),
        "weights": torch.rand(500), "valid_weights": torch.rand(400),
    }  # fmt: skip
    place = (321, 1) if given[name].dim() == 2 else (321,)
    given[name][place] = bad
    given[name][350:352] = bad
    flow = RealNVP(2, 2, 8, context=2)
    before = weights_of(flow)
    says = (
        rf"^{name} holds numbers that are not finite in 3 of its [45]00 rows; the first is {bad} in row 321"
    )
    with pytest.raises(ValueError, match=says + (r", column 1\b" if len(place) == 2 else r"\.")):
        fit(flow, given.pop("x"), given.pop("valid"), steps=3, **given, **CPU)
    assert torch.equal(weights_of(flow), before)


def test_of_an_image_the_pixel_is_named_also_with_a_loss_of_ones_own():
    x = torch.zeros(20, 3, 4, 4)
    x[7, 2, 1, 3] = math.nan
    with pytest.raises(ValueError, match=r"row 7, column \(2, 1, 3\)"):
        fit(linear_flow(), x, steps=1, loss=lambda flow, x, context: x.sum(), **CPU)


# ---------------------------------------------------------------------------- scale


def test_data_far_from_the_base_are_said_once_with_the_remedy():
    x = 3e5 + 1e5 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    with pytest.warns(
        UserWarning, match=r"mean 3\.\d+e\+05 and standard deviation 1\.\d+e\+05.*Standardizer"
    ) as said:
        fit(RealNVP(2, 2, 8), x, steps=5, **CPU)
    assert len(said) == 1 and said[0].filename == __file__


@pytest.mark.parametrize(
    "case",
    [
        lambda: (RealNVP(2, 2, 8), Standardizer.fit(1e5 * banana(200)).inverse(1e5 * banana(200))[0]),
        lambda: (
            Flow(Chain(Linear(2), Standardizer.fit(1e5 * banana(200))), StandardNormal(2)),
            1e5 * banana(200),
        ),
        lambda: (Flow(Chain(Linear(1), Exp()), StandardNormal(1)), house_prices(200)[:, None]),
        lambda: (Flow(Chain(Linear(1), ActNorm(1)), StandardNormal(1)), ames_prices()[:, None]),
        lambda: (linear_flow(), 500 * banana(200)),
    ],
    ids=["standardised", "units in the flow", "logarithm", "started from data", "not so far"],
)
def test_a_flow_that_knows_the_scale_is_not_warned_about(case):
    flow, x = case()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(flow, x, steps=2, **CPU)


def test_looking_at_the_scale_changes_nothing():
    x = 1e5 * banana(100)
    flow = RealNVP(2, 2, 8)
    twin = copy.deepcopy(flow)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with pytest.warns(UserWarning, match="far from"):
        fit(flow, x, steps=5, **CPU)
    assert torch.equal(torch.get_rng_state(), before) and flow.training
    fit(twin, x, steps=5, loss=lambda flow, x, context: -flow.log_prob(x), **CPU)  # which is not asked
    assert torch.equal(weights_of(flow), weights_of(twin))


# ---------------------------------------------------------------------------- runs that diverge


class Bend(Bijection):
    """x = z + shift, with a root of its parameter that may break its value, or its gradient alone."""

    def __init__(self, root: float):
        super().__init__()
        self.shift, self.root = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.tensor(root))

    def inverse(self, x, context=None):
        return x - self.shift + self.root.sqrt(), x.new_zeros(len(x))

    def forward(self, z, context=None):
        return z + self.shift - self.root.sqrt(), z.new_zeros(len(z))


def test_a_gradient_that_breaks_is_named_and_the_weights_stay():
    flow = Flow(Chain(Linear(2), Bend(0.0), Linear(2)), StandardNormal(2))
    before = weights_of(flow)
    says = (
        r"a gradient became infinite or no number at step 1, where the loss was \d.*"
        r"First to break was the gradient of bijection\.layers\.1\.root \(-?inf"
    )
    with pytest.raises(FloatingPointError, match=says):
        fit(flow, banana(50), steps=5, **CPU)
    assert torch.equal(weights_of(flow), before)


def test_without_clipping_it_is_noticed_a_step_later():
    flow = Flow(Chain(Linear(2), Bend(0.0), Linear(2)), StandardNormal(2))
    with pytest.raises(FloatingPointError, match=r"nan at step 2\. First to break in the step before.*root"):
        fit(flow, banana(50), steps=5, clip=None, **CPU)


def test_a_layer_whose_value_breaks_is_named():
    flow = Flow(Chain(Linear(2), Bend(-1.0), Linear(2)), StandardNormal(2))
    with pytest.raises(FloatingPointError, match=r"nan at step 1\. First to break was the value of layer 1"):
        fit(flow, banana(50), steps=5, **CPU)


def test_points_outside_the_base_are_named():
    base = torch.distributions.Uniform(torch.zeros(2), torch.ones(2))
    with pytest.raises(FloatingPointError, match=r"inf at step 1.*finite numbers; the base.* has no density"):
        fit(Flow(Linear(2), base), banana(50), steps=5, **CPU)


def test_a_parameter_that_was_never_a_number_is_named():
    flow = linear_flow()
    with torch.no_grad():
        flow.bijection.bias[1] = math.nan
    with pytest.raises(FloatingPointError, match=r"nan at step 1\. The parameter bijection\.bias \(nan\)"):
        fit(flow, banana(50), steps=5, **CPU)


def test_gradients_that_overflow_only_in_their_norm_are_no_failure():
    flow = linear_flow()
    fit(flow, banana(50), steps=2, loss=lambda flow, x, context: -1e25 * flow.log_prob(x), **CPU)
    assert torch.isfinite(weights_of(flow)).all()


# ---------------------------------------------------------------------------- weights


def repeated(x, counts):
    return x.repeat_interleave(counts, 0)


def test_a_weight_of_two_is_the_row_twice():
    counts = torch.randint(0, 4, (60,), generator=torch.Generator().manual_seed(1))
    x, valid = banana(60).double(), banana(60, seed=1).double()
    flow = RealNVP(2, 2, 8).double()
    twin = copy.deepcopy(flow)
    shared = {"steps": 50, "batch_size": 1000, "lr": 0.01, "evaluate_every": 10} | CPU
    one = fit(flow, x, valid, weights=0.3 * counts, valid_weights=counts, **shared)
    two = fit(twin, repeated(x, counts), repeated(valid, counts), **shared)
    torch.testing.assert_close(weights_of(flow), weights_of(twin), rtol=1e-6, atol=1e-8)
    assert one.train == pytest.approx(two.train) and one.valid == pytest.approx(two.valid)
    assert one.best_step == two.best_step


def test_over_an_epoch_of_small_batches_the_losses_have_the_weighted_mean():
    x, weights = banana(64), torch.rand(64)
    flow = linear_flow()
    exact = -(weights * flow.log_prob(x)).sum() / weights.sum()
    history = fit(flow, x, weights=weights, epochs=1, batch_size=8, lr=0.0, evaluate_every=8, **CPU)
    assert history.train[-1] == pytest.approx(exact.item(), rel=1e-5)


def test_all_weights_alike_are_no_weights():
    flows = [RealNVP(2, 2, 8) for _ in range(2)]
    flows[1].load_state_dict(flows[0].state_dict())
    fit(flows[0], banana(100), steps=20, **CPU)
    fit(flows[1], banana(100), weights=torch.full((100,), 7.0), steps=20, **CPU)
    torch.testing.assert_close(weights_of(flows[0]), weights_of(flows[1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"weights": torch.ones(7)}, ValueError, "weights has 7 rows, for 20 rows"),
        ({"weights": torch.ones(20, 1)}, ValueError, "one number >= 0 for each row"),
        ({"weights": -torch.ones(20)}, ValueError, "one number >= 0 for each row"),
        ({"weights": torch.zeros(20)}, ValueError, "not all of them 0"),
        ({"weights": [1.0] * 20}, TypeError, "weights as a tensor, got a list"),
        ({"valid_weights": torch.ones(20)}, ValueError, "no validation data"),
        (
            {"weights": torch.ones(20), "loss": lambda flow, x, context: -flow.log_prob(x).mean()},
            ValueError,
            r"a loss for each row, shape \(20,\), got \(\)",
        ),
    ],
)
def test_weights_that_do_not_fit(arguments, error, says):
    with pytest.raises(error, match=says):
        fit(linear_flow(), banana(20), steps=1, **arguments, **CPU)


# ---------------------------------------------------------------------------- what is trained


def counting(calls):
    def backend(graph, inputs):
        def run(*values):
            calls.append(1)
            return graph(*values)

        return run

    return backend


@pytest.mark.parametrize("way", ["torch.compile", "compile in place"])
def test_a_compiled_flow_trains_through_what_was_compiled(way):
    calls: list[int] = []
    flow = linear_flow()
    twin = copy.deepcopy(flow)
    if way == "torch.compile":
        given = torch.compile(flow, backend=counting(calls))
    else:
        flow.compile(backend=counting(calls))
        given = flow
    shared = {"steps": 12, "evaluate_every": 4} | CPU
    one, two = (
        fit(given, banana(50), banana(20, seed=1), **shared),
        fit(twin, banana(50), banana(20, seed=1), **shared),
    )
    assert len(calls) >= 12
    torch.testing.assert_close(weights_of(flow), weights_of(twin))
    assert one.valid == pytest.approx(two.valid, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: Linear(2), r"log_prob\(x\), got Linear: pass a Flow, such as Flow\(bijection"),
        (lambda: nn.DataParallel(linear_flow()), "got DataParallel: pass what it wraps, wrapper.module"),
        (lambda: RealNVP, "got type"),
    ],
)
def test_what_does_not_score_is_not_fitted(model, says):
    with pytest.raises(TypeError, match=says):
        fit(model(), banana(20), steps=1, **CPU)
