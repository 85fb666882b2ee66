"""fit, fit_energy and evaluate do what their docstrings say."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from flowlib.base import StandardNormal
from flowlib.data import banana, two_moons
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.models import RealNVP
from flowlib.table import evaluate
from flowlib.training import History, fit, fit_energy


def linear_flow(dim=2):
    return Flow(Linear(dim), StandardNormal((dim,)))


class Constant(nn.Module):
    """One number w; with `steady` as the loss its gradient is 1 at every step."""

    def __init__(self, value=0.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(float(value)))


def steady(model, x, context):
    return model.w.expand(len(x))


def parameters_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_fit_finds_the_gaussian_that_has_the_sample_moments():
    x = banana(2000, seed=1)
    flow = linear_flow()
    history = fit(flow, x, steps=1500, batch_size=len(x), lr=0.02)
    covariance = flow.bijection.weight() @ flow.bijection.weight().T
    torch.testing.assert_close(flow.bijection.bias, x.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(covariance, torch.cov(x.T, correction=0), atol=0.03, rtol=0)
    exact = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.T, correction=0))
    assert history.train[-1] == pytest.approx(-exact.log_prob(x).mean().item(), abs=1e-3)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    x = banana(300)
    flows = [linear_flow() for _ in range(3)]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for flow, seed in zip(flows, (0, 0, 1), strict=True):
        fit(flow, x, steps=20, batch_size=64, seed=seed)
    first, again, other = map(parameters_of, flows)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_drawn_by_the_flow_follows_the_seed():
    def noisy(model, x, context):
        return (model.w - torch.randn(())) ** 2

    ends = []
    for seed in (3, 3, 4):
        model = Constant()
        fit(model, torch.zeros(8, 1), steps=10, loss=noisy, seed=seed)
        ends.append(model.w.item())
    assert ends[0] == ends[1] != ends[2]


def test_the_weights_of_the_lowest_validation_loss_stay():
    # The training loss pulls w down without end; the validation loss is lowest near w = -0.05.
    def loss(model, x, context):
        return steady(model, x, context) if model.training else (model.w + 0.05).abs().expand(len(x))

    model = Constant()
    history = fit(
        model,
        torch.zeros(4, 1),
        torch.zeros(3, 1),
        steps=100,
        lr=1e-3,
        schedule=None,
        loss=loss,
        evaluate_every=10,
    )
    assert history.best_step == 50
    assert model.w.item() == pytest.approx(-0.05, abs=1e-4)
    assert min(history.valid) == pytest.approx(0.0, abs=1e-4)
    assert len(history.valid) == len(history.train) == len(history.steps) == 10
    assert not history.stopped_early


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_without_a_finite_validation_loss_the_last_weights_stay(bad):
    def loss(model, x, context):
        return steady(model, x, context) if model.training else torch.full((len(x),), bad)

    model = Constant()
    history = fit(model, torch.zeros(4, 1), torch.zeros(3, 1), steps=20, loss=loss, evaluate_every=5)
    assert history.best_step == 20 == history.steps[-1]
    assert model.w.item() < 0
    assert fit(model, torch.zeros(4, 1), steps=7, loss=loss).best_step == 7


def test_patience_stops_the_run_after_so_many_records_without_gain():
    def worse(model, x, context):
        return steady(model, x, context) if model.training else -model.w.expand(len(x))

    model = Constant()
    history = fit(
        model, torch.zeros(4, 1), torch.zeros(3, 1), steps=1000, evaluate_every=10, patience=3, loss=worse
    )
    assert history.steps[-1] == 40 and history.best_step == 10
    assert history.stopped_early and "stopped early" in repr(history)


def test_the_validation_loss_is_the_mean_over_all_rows():
    x, valid = banana(500), banana(9000, seed=1)  # more rows than one validation pass holds
    flow = linear_flow()
    history = fit(flow, x, valid, steps=5, evaluate_every=5)
    assert history.valid[-1] == pytest.approx(-flow.log_prob(valid).mean().item(), rel=1e-5)


@pytest.mark.parametrize(("schedule", "path"), [(None, 20.0), ("cosine", 10.5)])
def test_schedule(schedule, path):
    # With a gradient of 1, Adam moves by the learning rate at every step: the path is their sum.
    model = Constant()
    fit(model, torch.zeros(4, 1), steps=20, lr=0.01, schedule=schedule, loss=steady)
    assert -model.w.item() == pytest.approx(0.01 * path, rel=1e-4)


def test_clip_shortens_the_gradient():
    # Adam divides by the gradient's size plus 1e-8: far below that, the step is nearly nothing.
    model = Constant()
    fit(model, torch.zeros(4, 1), steps=20, lr=0.01, clip=1e-12, loss=steady)
    assert abs(model.w.item()) < 1e-3


def test_weight_decay_shrinks_weights():
    model = Constant(1.0)
    fit(
        model,
        torch.zeros(4, 1),
        steps=10,
        lr=0.1,
        weight_decay=0.5,
        schedule=None,
        loss=lambda m, x, c: 0 * m.w,
    )
    assert model.w.item() == pytest.approx((1 - 0.05) ** 10, rel=1e-4)


def test_an_epoch_sees_every_row_once_in_a_new_order():
    seen = []

    def record(model, x, context):
        seen.append((x[:, 0].clone(), context[:, 0].clone()))
        return steady(model, x, context)

    x = torch.arange(12.0)[:, None]
    history = fit(Constant(), x, context=10 * x, epochs=2, batch_size=4, loss=record)
    assert history.steps[-1] == len(seen) == 6
    for epoch in (seen[:3], seen[3:]):
        assert sorted(torch.cat([rows for rows, _ in epoch]).tolist()) == list(range(12))
    assert all(torch.equal(10 * rows, context) for rows, context in seen)
    assert not torch.equal(torch.cat([r for r, _ in seen[:3]]), torch.cat([r for r, _ in seen[3:]]))


def test_an_incomplete_batch_is_dropped_and_a_large_one_is_cut():
    sizes = []

    def record(model, x, context):
        sizes.append(len(x))
        return steady(model, x, context)

    fit(Constant(), torch.zeros(10, 1), epochs=2, batch_size=4, loss=record)
    fit(Constant(), torch.zeros(10, 1), steps=1, batch_size=99, loss=record)
    assert sizes == [4, 4, 4, 4, 10]


def test_context_reaches_the_flow_in_training_and_validation():
    class Conditional(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.zeros(()))

        def log_prob(self, x, context):
            return -((x - self.slope * context) ** 2).sum(1)

    context = torch.randn(400, 1, generator=torch.Generator().manual_seed(0))
    flow = Conditional()
    history = fit(
        flow, 3 * context, 3 * context[:50], context=context, valid_context=context[:50], lr=0.1, steps=300
    )
    assert flow.slope.item() == pytest.approx(3, abs=1e-2)
    assert history.valid[-1] < 1e-3


def test_a_loss_that_is_no_number_names_the_step_and_the_steepest_parameter():
    class Fragile(nn.Module):
        def __init__(self):
            super().__init__()
            self.calm = nn.Parameter(torch.tensor(1.0))
            self.steep = nn.Parameter(torch.tensor(0.025))

        def log_prob(self, x):
            return (100 * self.steep).log() + 0.01 * self.calm - 2 * 100 * self.steep + 0 * x[:, 0]

    with pytest.raises(FloatingPointError, match=r"nan at step 4\b.*largest gradient.* in steep"):
        fit(Fragile(), torch.zeros(4, 1), lr=0.01, schedule=None, clip=None, steps=50)


def test_an_interruption_keeps_the_best_weights():
    calls = []

    def loss(model, x, context):
        if model.training:
            calls.append(1)
            if len(calls) == 8:
                raise KeyboardInterrupt
            return steady(model, x, context)
        return (model.w + 0.003).abs().expand(len(x))

    model = Constant()
    with pytest.raises(KeyboardInterrupt):
        fit(model, torch.zeros(4, 1), torch.zeros(2, 1), steps=20, schedule=None, evaluate_every=1, loss=loss)
    assert model.w.item() == pytest.approx(-0.003, abs=1e-6)


def test_fit_energy_reaches_minus_the_log_normaliser():
    def log_density(x):  # a Gaussian with mean (1, -2) and deviations (0.5, 2), times 7
        return math.log(7) - 0.5 * (((x - x.new_tensor([1.0, -2.0])) / x.new_tensor([0.5, 2.0])) ** 2).sum(1)

    flow = linear_flow()
    history = fit_energy(flow, log_density, steps=800, lr=0.02)
    assert history.train[-1] == pytest.approx(-math.log(7 * 2 * math.pi), abs=0.01)
    torch.testing.assert_close(flow.bijection.bias.detach(), torch.tensor([1.0, -2.0]), atol=0.05, rtol=0)


def test_no_progress_bar_outside_a_terminal(capfd):
    fit(linear_flow(), banana(50), steps=3)
    assert capfd.readouterr() == ("", "")
    fit(linear_flow(), banana(50), steps=3, progress=True)
    shown = capfd.readouterr().err
    assert "step/s" in shown and shown.split("\r")[-2].strip() == ""  # drawn, then wiped


def test_double_precision_stays():
    flow = linear_flow().double()
    fit(flow, banana(50, dtype=torch.float64), banana(50, seed=1, dtype=torch.float64), steps=3)
    assert all(
        tensor.dtype == torch.float64 for tensor in flow.state_dict().values() if tensor.is_floating_point()
    )


def test_mode_and_device_are_as_before():
    flow = linear_flow().eval()
    fit(flow, banana(50), banana(20), steps=3)
    assert not flow.training and next(flow.parameters()).device.type == "cpu"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_trains_on_the_gpu_and_brings_the_flow_back():
    devices = set()

    def spy(flow, x, context):
        devices.add((x.device.type, next(flow.parameters()).device.type))
        return -flow.log_prob(x)

    flow = linear_flow()
    fit(flow, banana(500), banana(100), steps=5, loss=spy)
    assert devices == {("cuda", "cuda")}
    assert next(flow.parameters()).device.type == "cpu"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"steps": 3, "epochs": 3}, "steps or epochs"),
        ({"steps": 0}, "at least one step"),
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
        ({"batch_size": -1}, "batch_size >= 1, got -1"),
        ({"valid": torch.zeros(0, 2)}, "valid holds no rows"),
        ({"patience": 2}, "validation"),
        ({"schedule": "linear"}, "cosine"),
        ({"context": torch.zeros(7, 1)}, "7 rows"),
        ({"valid_context": torch.zeros(7, 1)}, "no validation data"),
        ({"context": torch.zeros(20, 1), "valid": torch.zeros(5, 2)}, "valid_context"),
    ],
)
def test_arguments_that_contradict_each_other(arguments, says):
    with pytest.raises(ValueError, match=says):
        fit(linear_flow(), banana(20), **arguments)


def test_an_energy_needs_a_batch():
    with pytest.raises(ValueError, match="batch_size >= 1, got 0"):
        fit_energy(linear_flow(), lambda z: -z.square().sum(1), batch_size=0)


def test_nothing_to_fit():
    with pytest.raises(ValueError, match="at least one row"):
        fit(linear_flow(), torch.zeros(0, 2))
    with pytest.raises(ValueError, match="no parameter"):
        fit(Flow(Linear(2).requires_grad_(False), StandardNormal((2,))), banana(20))


def test_history_reads_well():
    history = fit(linear_flow(), banana(500), banana(200, seed=1), steps=1200, batch_size=32)
    assert repr(history).startswith("History(1,200 steps, train ")
    assert f"at step {history.best_step:,}" in repr(history)
    assert history.seconds > 0
    assert repr(History()) == "History(nothing recorded)"


def test_evaluate():
    flow = Flow(Linear.from_matrix(torch.tensor([[2.0, 0.0], [1.0, 0.5]])), StandardNormal((2,)))
    x = banana(500)
    row = evaluate(flow, x, "Gaussian", repeats=3)
    assert list(row) == ["model", "nll", "parameters", "forward_ms", "inverse_ms", "round_trip"]
    exact = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[4.0, 2.0], [2.0, 1.25]]))
    assert row["nll"] == pytest.approx(-exact.log_prob(x).mean().item(), rel=1e-5)
    assert row["model"] == "Gaussian"
    assert row["parameters"] == sum(parameter.numel() for parameter in flow.parameters())
    assert row["forward_ms"] > 0 and row["inverse_ms"] > 0 and row["round_trip"] < 1e-5


PARALLEL = """
import os
import sys
import torch
from flowlib.bijection import Chain
from flowlib.data import banana
from flowlib.base import StandardNormal
from flowlib.flow import Flow
from flowlib.linear import ActNorm, Linear
from flowlib.training import fit

rank = os.environ.get("RANK", "single")
# In float64: where the gradient starts at zero, Adam would turn the rounding of float32 into steps.
flow = Flow(Chain(Linear(2), ActNorm(2), Linear(2)), StandardNormal((2,))).double()
x, valid = banana(601, dtype=torch.float64), banana(301, seed=1, dtype=torch.float64)
if rank == "1":  # processes that start apart must still agree
    torch.nn.init.ones_(flow.bijection[0].bias)
history = fit(flow, x, valid, steps=60, batch_size=75, lr=0.01)
torch.save((flow.state_dict(), history.train, history.valid), f"{sys.argv[1]}/{rank}.pt")
"""


def test_two_processes_end_with_the_weights_of_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PARALLEL)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for command in ([sys.executable], launch):
        done = subprocess.run(
            [*command, str(script), str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    single, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("single", "0", "1"))
    for name, tensor in single[0].items():
        assert torch.equal(first[0][name], second[0][name]), f"the processes disagree on {name}"
        torch.testing.assert_close(first[0][name], tensor, atol=1e-8, rtol=1e-8)
    for record in (1, 2):
        assert first[record] == second[record]
        assert first[record] == pytest.approx(single[record], rel=1e-6)


def test_autocast_around_a_whole_training_follows_the_weights():
    """Autocast keeps its casts of the weights until it ends; training changes the weights meanwhile."""
    x, valid = two_moons(1000), two_moons(500, seed=1)
    scores = []
    for enabled in (False, True):
        torch.manual_seed(0)
        flow = RealNVP(2, layers=4)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            with torch.no_grad():
                flow.log_prob(valid)  # casts that carry no gradient
            history = fit(flow, x, valid, steps=60, lr=3e-3, device="cpu")
            inside = flow.log_prob(valid).mean().item()
        scores.append(flow.log_prob(valid).mean().item())
        assert inside == pytest.approx(scores[-1], abs=0.03)
        assert -min(history.valid) == pytest.approx(scores[-1], abs=0.03)
    assert scores[1] == pytest.approx(scores[0], abs=0.1)
