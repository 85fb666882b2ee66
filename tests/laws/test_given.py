"""What people hand to a flow by mistake: each is told what was expected, what came, and what to write."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from flowlib import CNF, IAF, MAF, NSF, Exp, Flow, Glow, PlanarFlow, RadialFlow, RealNVP, StandardNormal
from flowlib.bijection import Chain
from flowlib.checks import check_flow
from flowlib.linear import Linear
from flowlib.nets import MLP, ConvNet, MaskedMLP, ResidualMLP
from flowlib.scalar import Affine
from flowlib.training import fit

MODELS = [CNF, IAF, MAF, NSF, PlanarFlow, RadialFlow, RealNVP]
X = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))


class DataFrame:  # pandas is not among the course's packages; its name is all that counts
    def to_numpy(self):
        return X.numpy()


CALLS = {
    "log_prob": lambda flow, x: flow.log_prob(x),
    "forward": lambda flow, x: flow(x),
    "to_latent": lambda flow, x: flow.to_latent(x),
    "path": lambda flow, x: flow.path(x, inverse=True),
    "fit": lambda flow, x: fit(flow, x, steps=1, device="cpu"),
    "fit valid": lambda flow, x: fit(flow, X, x, steps=1, device="cpu"),
    "check_flow": lambda flow, x: check_flow(flow, x),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("x", "got", "remedy"),
    [
        (X.numpy(), "ndarray", "torch.from_numpy"),
        (X.tolist(), "a list", "torch.from_numpy"),
        (tuple(X.tolist()), "a tuple", "torch.tensor"),
        (DataFrame(), "DataFrame", "to_numpy"),
        (DataLoader(TensorDataset(X), 4), "DataLoader", "torch.cat"),
        (TensorDataset(X), "TensorDataset", "tensors[0]"),
        (X.double(), "torch.float64", ".float()"),
        (X.half(), "torch.float16", ".float()"),
        (X.long(), "torch.int64", ".float()"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_of_the_wrong_kind(call, x, got, remedy):
    with pytest.raises(TypeError, match=re.escape(got)) as error:
        CALLS[call](RealNVP(2, 2, 8), x)
    assert remedy in str(error.value)
    assert "tensor" in str(error.value) or "float32" in str(error.value) or "floating" in str(error.value)


@pytest.mark.parametrize("model", MODELS)
def test_all_models_say_the_same_of_another_precision(model):
    with pytest.raises(TypeError, match=r"float32.*float64.*x\.float\(\).*flow\.double\(\)"):
        model(2).log_prob(X.double())
    with pytest.raises(TypeError, match=r"float64.*float32.*x\.double\(\).*flow\.float\(\)"):
        model(2).double().log_prob(X)
    with pytest.raises(ValueError, match=r"on cpu, where its weights are, got meta: write x\.to\(\"cpu\"\)"):
        model(2).log_prob(X.to("meta"))


def test_a_flow_of_single_numbers_joins_in_any_precision():
    x = X.double()
    exact = Flow(Affine(1.0, 2.0), StandardNormal(2)).double().log_prob(x)
    found = Flow(Affine(1.0, 2.0), StandardNormal(2)).log_prob(x)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, exact, rtol=1e-7, atol=1e-6)


def test_context_is_held_to_the_same():
    flow = RealNVP(2, 2, 8, context=1)
    given = torch.randn(8, 1)
    for wrong, error, says in (
        (given.double(), TypeError, r"context as torch.float32.*got torch.float64: write context\.float\(\)"),
        (given.long(), TypeError, r"context as torch.float32.*got torch.int64: write context\.float\(\)"),
        (given.numpy(), TypeError, r"context as a tensor, got a ndarray|got an ndarray"),
        (given.to("meta"), ValueError, r"context on cpu.*got meta"),
    ):
        for call in (
            lambda wrong=wrong: flow.log_prob(X, wrong),
            lambda wrong=wrong: flow.to_latent(X, wrong),
            lambda wrong=wrong: flow.sample(8, wrong),
            lambda wrong=wrong: flow.sample_with_log_prob(8, wrong),
            lambda wrong=wrong: flow.sample(8, wrong, each=True),
        ):
            with pytest.raises(error, match=says):
                call()


def test_what_autocast_mixes_is_left_alone():
    flow = RealNVP(2, 2, 8, context=4)
    with torch.autocast("cpu", torch.bfloat16):
        seen = nn.Linear(2, 4)(X)
        assert seen.dtype == torch.bfloat16
        assert torch.isfinite(flow.log_prob(X, seen)).all()


@pytest.mark.parametrize(
    ("event", "got", "remedy"),
    [
        ((3, 4, 8), (5, 4, 8, 3), "permute(0, 3, 1, 2)"),
        ((1, 8, 8), (5, 8, 8), "x[:, None]"),
        ((3, 4, 8), (3, 4, 8), "x[None]"),
        ((3, 4, 8), (5, 96), "x.reshape(-1, 3, 4, 8)"),
        ((16,), (5, 4, 4), "x.reshape(-1, 16)"),
        ((2,), (2,), "x[None]"),
        ((2,), (2, 9), "x.T"),
        ((1,), (9,), "x[:, None]"),
        ((), (9, 1), "x[:, 0]"),
        ((2,), (9, 3), ""),
    ],
)
def test_a_shape_comes_with_the_line_that_mends_it(event, got, remedy):
    flow = Flow(Exp(), StandardNormal(event))
    x = torch.rand(got) + 0.1
    with pytest.raises(ValueError, match=re.escape(f"got {got}")) as error:
        flow.log_prob(x)
    assert str(error.value).endswith(remedy)
    if remedy:
        flow.log_prob(eval(remedy if remedy.startswith("x") else f"x.{remedy}"))
    else:
        assert "Write" not in str(error.value)


def test_glow_says_that_channels_come_first():
    with pytest.raises(ValueError, match=r"\(batch, 3, 8, 8\), got \(5, 8, 8, 3\).*permute\(0, 3, 1, 2\)"):
        Glow((3, 8, 8), 1, 1, 8).log_prob(torch.rand(5, 8, 8, 3))


# ---------------------------------------------------------------------------- counts


def test_whole_numbers_of_any_kind_count_draws():
    flow = RealNVP(2, 2, 8)
    for n in (4, np.int64(4), np.uint8(4), torch.tensor(4)):
        assert flow.sample(n).shape == flow.sample_with_log_prob(n)[0].shape == (4, 2)
    assert flow.sample(0).shape == (0, 2)
    for wrong in (4.0, np.float64(4), -1, True, np.True_, torch.tensor(True), torch.tensor(4.0), "4", None):
        with pytest.raises(ValueError, match="number of samples must be a whole number >= 0, got"):
            flow.sample(wrong)
    with pytest.raises(ValueError, match="a number, not a shape"):
        flow.sample((4, 2))


@pytest.mark.parametrize("name", ["steps", "epochs", "batch_size", "evaluate_every", "patience"])
def test_counts_of_fit_are_whole_numbers(name):
    flow = RealNVP(2, 2, 8)
    for wrong in (2.0, 0, -3, True, "2"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number|{name} >= 1|at least one step"):
            fit(flow, X, X, **({"steps": 4} if name not in ("steps", "epochs") else {}) | {name: wrong})


# ---------------------------------------------------------------------------- activations


@pytest.mark.parametrize("net", [MLP, ResidualMLP, ConvNet, MaskedMLP])
@pytest.mark.parametrize("wrong", [lambda: torch.relu, torch.relu, nn.ReLU(), "relu", None])
def test_an_activation_is_made_by_what_is_given(net, wrong):
    with pytest.raises(TypeError, match=r"activation must make a module.*such as nn\.ReLU"):
        net(2, 2, 8, activation=wrong)
    with pytest.raises(TypeError, match="activation must make a module"):
        RealNVP(2, activation=wrong)


# ---------------------------------------------------------------------------- latents, draws for each row


def test_latents_are_what_the_base_sees():
    flow = RealNVP(2, 4, 8, context=1)
    given = torch.randn(8, 1)
    z = flow.to_latent(X, given)
    torch.testing.assert_close(flow.bijection(z, given)[0], X)
    assert torch.equal(z, flow.path(X, given, inverse=True)[-1].value)
    assert z.requires_grad


def test_draws_for_each_row_of_context():
    flow = RealNVP(2, 4, 8, context=1)
    given = torch.randn(3, 1)

    def start():
        return torch.Generator().manual_seed(4)

    draws = flow.sample(5, given, generator=start(), each=True)
    assert draws.shape == (3, 5, 2)
    flat = flow.sample(15, given.repeat_interleave(5, 0), generator=start())
    assert torch.equal(draws.flatten(0, 1), flat)
    x, log_prob = flow.sample_with_log_prob(5, given, generator=start(), each=True)
    assert torch.equal(x, draws) and log_prob.shape == (3, 5)
    torch.testing.assert_close(log_prob[2], flow.log_prob(x[2], given[2].expand(5, 1)))
    assert flow.sample(0, given, each=True).shape == (3, 0, 2)
    with pytest.raises(ValueError, match="each row of a context, got none"):
        flow.sample(5, each=True)
    with pytest.raises(ValueError, match="built without context"):
        RealNVP(2).sample(5, given, each=True)


def test_a_compiled_flow_gives_the_same():
    flow = Flow(Chain(Linear(2), Linear(2)), StandardNormal(2))
    compiled = torch.compile(flow, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), flow.log_prob(X))
