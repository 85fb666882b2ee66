"""Recording: what it may hold, who decides, and that a replay does what the steps would have done."""

import copy
import gc
import math
import warnings

import pytest
import torch
from torch import nn

from flowlib import recording, training
from flowlib.autoregressive import RECORDINGS
from flowlib.base import StandardNormal
from flowlib.bijection import Inverse, require
from flowlib.flow import Flow
from flowlib.models import CNF, IAF, MAF, NSF, Glow, PlanarFlow, RealNVP
from flowlib.recording import Recorded, Repeater, Watch
from flowlib.scalar import Exp

cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def on_cuda(function):
    for mark in cuda:
        function = mark(function)
    return function


class EagerRecording:
    """Stands in for a CUDA graph where there is none: repeats what the function did, by calling it."""

    def __init__(self, function, *inputs, warmup):
        self.function = function

    def __call__(self, *inputs):
        return self.function(*inputs)

    def raise_if_failed(self):
        pass


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(recording, "Recorded", EagerRecording)


# --- what a recording cannot hold: seen without a GPU ------------------------------------------


def looks_at_a_value(x):
    return x / x.sum().item()


def asks_whether(x):
    return -x if x.sum() > 0 else x


def indexes_by_truth(x):
    return x[x > 0]


def counts_nonzero(x):
    return x.nonzero()


def copies_away(x):
    return x.to("meta")


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (looks_at_a_value, "_local_scalar_dense"),
        (asks_whether, "_local_scalar_dense"),
        (indexes_by_truth, "index"),
        (counts_nonzero, "nonzero"),
        (copies_away, "copies between devices"),
    ],
)
def test_an_obstacle_is_named_with_its_line(function, operation):
    with Watch() as watch:
        function(torch.randn(5))
    assert operation in watch.obstacle and "test_recording.py, line" in watch.obstacle
    line = int(watch.obstacle.split("line ")[1].split(",")[0])
    assert line == function.__code__.co_firstlineno + 1


def test_an_obstacle_of_the_backward_pass_is_seen():
    class Looks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * gradient.sum().item()

    x = torch.randn(3, requires_grad=True)
    with Watch() as watch:
        Looks.apply(x).sum().backward()
    assert "_local_scalar_dense" in watch.obstacle


@pytest.mark.parametrize(
    "build",
    [
        lambda: RealNVP(2, 2, (8, 8)),
        lambda: NSF(3, 2, (8, 8)),
        lambda: MAF(3, 2, (8, 8)),
        lambda: CNF(2, (8, 8), steps=2),
        lambda: PlanarFlow(2, 2, cheap="density"),
        lambda: Glow((1, 4, 4), 1, 2, (8,)),
    ],
)
def test_a_training_step_of_every_model_can_be_repeated(build):
    """Two steps do the same operations, none of which looks at a value. On a CPU `fit` looks itself."""
    flow = build()
    update = training.Update(flow, training.negative_log_likelihood)
    update.looks = False
    watches = []
    for seed in range(3):
        torch.manual_seed(seed)
        x = torch.randn(16, *flow.event_shape)
        with Watch() as watch:
            update(x)
        watches.append(watch)
    assert watches[1].obstacle == "" and watches[1].difference(watches[2]) == ""
    assert len(watches[2].operations) > 30


def test_conditions_on_values_are_put_off_and_looked_at_after_the_step(without_gpu):
    """A domain check does not keep a step from being recorded, and a broken one is still told."""
    seen = []

    def step(x):
        require(x > 0, lambda: f"expected x > 0, got {float(x.min()):g}")
        seen.append(x.log())

    repeat = Repeater(step, watched=True)
    for _ in range(5):
        repeat(torch.ones(3))
    assert repeat.obstacle == "" and repeat.recorded is not None and len(seen) == 5
    repeat = Repeater(step, watched=True)
    repeat(torch.ones(3))
    with pytest.raises(ValueError, match="got -1"):
        repeat(-torch.ones(3))


@pytest.mark.parametrize("name", ["inv", "solve", "cholesky", "eigvals", "eigh", "svdvals"])
def test_decompositions_that_ask_for_a_verdict_are_noticed(name):
    given = [torch.eye(3)] * (2 if name == "solve" else 1)
    with Watch() as watch:
        getattr(torch.linalg, name)(*given)
    assert "waits for a verdict" in watch.obstacle


def ask_for_no_verdict(x):
    parts = [torch.linalg.inv_ex(x)[0], torch.linalg.qr(x)[0], torch.linalg.solve_ex(x, x)[0]]
    parts.append(torch.linalg.solve_triangular(x, x, upper=True))
    return sum(part.sum() for part in parts) + torch.linalg.slogdet(x)[1] + torch.linalg.det(x)


def test_decompositions_that_do_not_ask_may_be_recorded():
    with Watch() as watch:
        ask_for_no_verdict(torch.eye(3))
    assert watch.obstacle == ""


@on_cuda
def test_decompositions_that_do_not_ask_are_recorded():
    x = torch.eye(3, device="cuda") + 0.1 * torch.ones(3, 3, device="cuda")
    torch.testing.assert_close(Recorded(ask_for_no_verdict, x)(x), ask_for_no_verdict(x))


def test_numerical_inverses_say_that_they_look():
    flow = PlanarFlow(2, 2)  # scoring needs a root
    with Watch() as watch:
        flow.log_prob(torch.randn(4, 2))
    assert "bijection.py" in watch.obstacle and "looks at a value" in watch.obstacle


# --- who decides -------------------------------------------------------------------------------


def test_a_steady_function_is_recorded_at_its_fourth_call(without_gpu):
    calls = []
    repeat = Repeater(lambda x: calls.append(x * 2), watched=True)
    for number in range(1, 7):
        repeat(torch.ones(3))
        assert (repeat.recorded is not None) == (number >= 4) and len(calls) == number
    repeat.check(torch.ones(3))
    assert len(calls) == 7 and repeat.obstacle == "" and repeat.replays and repeat.recorded is None


def test_a_weight_that_changes_with_python_is_noticed(without_gpu):
    """KL annealing with a Python number: a recording would keep the weight of the fourth step for ever."""
    weight = [0.0]

    def loss(x):
        weight[0] += 0.001
        return (x * weight[0]).sum()

    repeat = Repeater(loss, watched=True)
    for _ in range(6):
        repeat(torch.ones(3))
    assert repeat.recorded is None
    assert "0.002 in one step" in repeat.obstacle.replace(")", "") and "0.003" in repeat.obstacle


def test_a_shape_that_changes_is_noticed(without_gpu):
    sizes = iter([4, 4, 3, 2, 2])
    repeat = Repeater(lambda x: x[: next(sizes)] * 2, watched=True)
    for _ in range(4):
        repeat(torch.ones(5))
    assert repeat.recorded is None and "in one step" in repeat.obstacle


def test_a_change_after_recording_is_an_error_at_the_end(without_gpu):
    phase = ["warm up"]

    def loss(x):
        return x * (1.0 if phase[0] == "warm up" else 0.5)

    repeat = Repeater(loss, watched=True)
    for _ in range(5):
        repeat(torch.ones(3))
    phase[0] = "later"
    with pytest.raises(RuntimeError, match=r"record=False"):
        repeat.check(torch.ones(3))


def test_what_cannot_be_recorded_runs_every_step_once(without_gpu):
    calls = []

    def step(x):
        calls.append(x.sum().item())

    repeat = Repeater(step, watched=True)
    for number in range(8):
        repeat(torch.full((2,), float(number)))
    assert calls == [2.0 * number for number in range(8)]
    assert "looks at a value" in repeat.obstacle


def test_a_recording_that_fails_falls_back(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(recording, "Recorded", fail)
    calls = []
    repeat = Repeater(lambda x: calls.append(1), watched=True)
    for _ in range(6):
        repeat(torch.ones(1))
    assert len(calls) == 6 and "not permitted" in repeat.obstacle and "more" not in repeat.obstacle


def test_record_true_needs_a_gpu():
    with pytest.raises(ValueError, match="GPU"):
        training.fit(RealNVP(2, 2, (8,)), torch.randn(64, 2), steps=2, device="cpu", record=True)
    with pytest.raises(ValueError, match="record="):
        training.fit(RealNVP(2, 2, (8,)), torch.randn(64, 2), steps=2, device="cpu", record="yes")


def test_recordings_are_few_and_go_with_their_owner(without_gpu):
    kept = recording.Recordings(limit=3)
    owners = [nn.Linear(2, 2) for _ in range(5)]
    for owner in owners:
        for _ in range(2):
            kept.run(owner, "key", lambda x: (x * 2,), torch.ones(3))
    assert len(kept._kept) == 3
    del owner
    owners.clear()
    gc.collect()
    assert len(kept._kept) == 0 and not kept._owners


# --- on a GPU ----------------------------------------------------------------------------------


@on_cuda
def test_a_replay_computes_what_the_function_does_and_draws_new_noise():
    weight = torch.randn(3, 3, device="cuda")
    replay = Recorded(lambda x: (x @ weight, torch.randn(4, device="cuda")), torch.zeros(5, 3, device="cuda"))
    seen = []
    for seed in range(3):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)).cuda()
        product, noise = replay(x)
        torch.testing.assert_close(product, x @ weight)
        seen.append(noise.clone())
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])


MODELS = {
    "RealNVP": lambda: RealNVP(2, 4, (32, 32)),
    "NSF": lambda: NSF(3, 2, (16, 16)),
    "MAF": lambda: MAF(3, 2, (16, 16)),
    "IAF": lambda: IAF(3, 2, (16, 16)),
    "CNF": lambda: CNF(2, (16, 16), steps=4),
    "CNF hutchinson": lambda: CNF(2, (16, 16), steps=4, trace="hutchinson"),
    "planar density": lambda: PlanarFlow(2, 4, cheap="density"),
    "Glow": lambda: Glow((1, 4, 4), 1, 2, (16,)),
    "Glow checkpointed": lambda: Glow((1, 4, 4), 1, 2, (16,), checkpointed=True),
}


@on_cuda
@pytest.mark.parametrize("name", MODELS)
def test_recorded_training_follows_eager_training(name):
    torch.manual_seed(0)
    flow = MODELS[name]()
    x = torch.randn(300, *flow.event_shape)
    valid = torch.randn(100, *flow.event_shape)
    histories, twins = [], []
    for record in (True, False):
        twin = copy.deepcopy(flow)
        histories.append(
            training.fit(twin, x, valid, steps=60, batch_size=64, evaluate_every=10, record=record)
        )
        twins.append(twin)
    assert histories[0].recorded and not histories[1].recorded
    rough = "hutchinson" in name  # whose noise is drawn at other places of the stream
    tolerance = {"rtol": 0.2, "atol": 0.2} if rough else {"rtol": 2e-3, "atol": 2e-3}
    for first, second in zip(
        (histories[0].train, histories[0].valid), (histories[1].train, histories[1].valid), strict=True
    ):
        torch.testing.assert_close(torch.tensor(first), torch.tensor(second), **tolerance)


@on_cuda
def test_fit_energy_is_recorded():
    def log_density(x):
        return -0.5 * ((x - 1) ** 2).sum(1)

    flow = RealNVP(2, 2, (16, 16))
    history = training.fit_energy(flow, log_density, steps=200, lr=5e-3, record=True)
    assert history.recorded
    assert abs(history.train[-1] + math.log(2 * math.pi)) < 0.1


@on_cuda
def test_fit_falls_back_and_says_why():
    def loss(flow, x, context):
        value = -flow.log_prob(x)
        return value / max(1.0, value.mean().item())

    torch.manual_seed(0)
    flow, x = RealNVP(2, 2, (16, 16)), torch.randn(300, 2)
    twin = copy.deepcopy(flow)
    with pytest.warns(UserWarning, match=r"value\.mean\(\)\.item\(\)"):
        first = training.fit(flow, x, steps=60, batch_size=64, loss=loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = training.fit(twin, x, steps=60, batch_size=64, loss=loss, record=False)
    assert not first.recorded and "looks at a value" in first.obstacle
    torch.testing.assert_close(torch.tensor(first.train), torch.tensor(second.train), rtol=1e-4, atol=1e-4)
    with pytest.raises(RuntimeError, match="cannot be recorded"):
        training.fit(flow, x, steps=60, batch_size=64, loss=loss, record=True)


@on_cuda
def test_a_recorded_condition_that_breaks_is_told_at_the_next_record():
    flow = Flow(Exp(), StandardNormal((2,)))  # takes x > 0
    flow.scale = nn.Parameter(torch.zeros(2))

    def loss(flow, x, context):
        return -flow.log_prob(x * flow.scale.exp())

    x = torch.rand(400, 2) + 0.5
    good = training.fit(flow, x, steps=60, batch_size=50, loss=loss, record=True)
    assert good.recorded
    x[399] = -1.0  # most batches do not hold it
    with pytest.raises(ValueError, match=r"Exp|earlier recorded call"):
        training.fit(flow, x, steps=60, batch_size=50, loss=loss, record=True)


@on_cuda
def test_after_a_recording_that_breaks_off_the_gpu_works_on():
    """The function waits for the GPU, which breaks the capture off and must not break what follows."""

    def function(x):
        noise = torch.randn(3, device="cuda")
        torch.cuda.synchronize()
        return x + noise

    x = torch.randn(3, 3, device="cuda")
    function(x)
    with pytest.raises(RuntimeError):
        Recorded(function, x, warmup=1)
    function(x)
    assert torch.isfinite(torch.randn(5, device="cuda")).all()
    replay = Recorded(lambda y: y * 2, x)
    torch.testing.assert_close(replay(x), x * 2)


@on_cuda
@pytest.mark.parametrize("transformer", ["affine", "spline"])
@pytest.mark.parametrize("context", [0, 2])
def test_replayed_sampling_agrees_with_the_steps(transformer, context):
    torch.manual_seed(0)
    flow = MAF(5, 2, (32, 32), context=context, transformer=transformer).cuda()
    rows = torch.randn(7, context, device="cuda") if context else None
    before = len(RECORDINGS)
    for seed in range(4):
        z = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed)).cuda()
        expected = flow.bijection(z, rows)  # gradients are asked for: step by step
        with torch.no_grad():
            found = flow.bijection(z, rows)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other.detach(), rtol=1e-5, atol=1e-5)
    assert len(RECORDINGS) == before + 2
    # Weights that change in place are seen, those that move elsewhere recorded again.
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1)
        changed = flow.bijection(z, rows)[0]
    torch.testing.assert_close(changed, flow.bijection(z, rows)[0].detach(), rtol=1e-5, atol=1e-5)
    assert (changed - found[0]).abs().max() > 1e-3
    del flow
    gc.collect()
    assert len(RECORDINGS) == before


@on_cuda
def test_iaf_scores_by_replay():
    flow = IAF(6, 2, (32, 32)).cuda()
    x = torch.randn(9, 6, device="cuda")
    with torch.no_grad():
        found = [flow.log_prob(x) for _ in range(3)]
    torch.testing.assert_close(found[2], flow.log_prob(x).detach(), rtol=1e-5, atol=1e-5)
    assert isinstance(flow.bijection[0], Inverse)
