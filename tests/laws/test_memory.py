"""Reversible: the gradients of ordinary backprop, memory that depth does not raise, and what is refused."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from flowlib import AdditiveTransformer, Chain, Checkpoint, Flow, Glow, Inverse, RealNVP, Reversible
from flowlib.bijection import Bijection
from flowlib.checks import check_bijection
from flowlib.linear import Linear
from flowlib.planar import Radial
from flowlib.scalar import Affine
from flowlib.volume import Henon
from tests.benchmarks.peers import shake
from tests.benchmarks.speed import kept_bytes

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def reversible(flow: Flow, wrap=lambda chain: Reversible(chain)) -> Flow:
    twin = copy.deepcopy(flow)
    return Flow(wrap(twin.bijection), twin.base)


def gradients(flow, x, context, direction) -> list[torch.Tensor]:
    """By the input, the context and each parameter, of a function of the value and the log-determinant."""
    leaves = [x.clone().requires_grad_()]
    leaves += [] if context is None else [context.clone().requires_grad_()]
    value, log_det = getattr(flow.bijection, direction)(*leaves)
    loss = (value * value.detach().cos()).mean() + log_det.mean()
    return list(torch.autograd.grad(loss, [*leaves, *flow.bijection.parameters()]))


MODELS = {
    "RealNVP": lambda: (RealNVP(4, 8, 16, context=3), (4,), 3),
    "Glow": lambda: (Glow((1, 8, 8), 2, 2, 8), (1, 8, 8), 0),
    "NICE": lambda: (RealNVP(4, 4, 16, transformer=AdditiveTransformer()), (4,), 0),
}


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_ordinary_backprop(name, dtype, direction):
    torch.manual_seed(0)
    flow, shape, context = MODELS[name]()
    shake(flow.to(dtype))
    x = torch.rand(6, *shape, dtype=dtype)
    given = torch.randn(6, context, dtype=dtype) if context else None
    with torch.no_grad():
        flow.bijection.inverse(x, given)  # ActNorm starts
    expected = gradients(flow, x, given, direction)
    wraps = [Reversible]
    if name == "RealNVP":
        wraps += [
            lambda chain: Chain(Reversible(chain[:4]), *map(Checkpoint, chain[4:])),
            lambda chain: Reversible(Chain(Inverse(Inverse(chain[:3])), Checkpoint(chain[3]), chain[4:])),
        ]
    for wrap in wraps:
        found = gradients(reversible(flow, wrap), x, given, direction)
        for one, other in zip(found, expected, strict=True):
            off = (one - other).abs().max() / (1 + other.abs().max())
            assert off < TOLERANCE[dtype]


def test_a_layer_used_twice_and_a_frozen_one():
    torch.manual_seed(0)
    layer, frozen = Radial(2).double(), Linear(2).double().requires_grad_(False)
    chain, x = Chain(layer, frozen, layer), torch.randn(5, 2, dtype=torch.float64)
    found = []
    for bijection in (chain, Reversible(chain)):
        chain.zero_grad()
        bijection(x)[1].sum().backward()  # x itself needs no gradient
        found.append([p.grad for p in layer.parameters()])
        assert all(p.grad is None for p in frozen.parameters())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_laws_and_names():
    chain = Reversible(RealNVP(2, 3, 8).bijection)
    check_bijection(chain, z=torch.randn(6, 2))
    assert [name for name, _ in chain.steps()] == ["Coupling"] * 3
    assert Reversible(Glow((1, 8, 8), 2, 1, 8).bijection).event_shape == (1, 8, 8)
    with pytest.raises(ValueError, match="built without context"):
        chain(torch.randn(4, 2), torch.zeros(4, 1))


def test_memory_does_not_grow_with_depth():
    kept = {}
    for depth in (8, 64):
        flow = shaken(RealNVP(8, depth, 16))
        x = torch.randn(64, 8)
        for name, one in (("all", flow), ("ends", reversible(flow))):
            kept[name, depth] = kept_bytes(lambda one=one, x=x: -one.log_prob(x).mean())
    assert kept["ends", 8] == kept["ends", 64] < kept["all", 8] / 4
    assert kept["all", 64] > 6 * kept["all", 8]


def test_the_way_back_holds_one_layer_at_a_time():
    flow, alive, most = reversible(shaken(RealNVP(8, 16, 16))), {}, []

    class Held:
        def __init__(self, tensor):
            self.tensor = tensor
            alive[id(self)] = tensor.numel()
            most.append(sum(alive.values()))

        def __del__(self):
            alive.pop(id(self), None)

    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        loss = -flow.log_prob(torch.randn(64, 8)).mean()
        start = most[-1]
        loss.backward()
    one = kept_bytes(lambda: flow.bijection.chain[0](torch.randn(64, 8))[0].sum()) / 4
    assert max(most) < start + 2 * one


def shaken(flow: Flow) -> Flow:
    shake(flow)
    return flow


# ---------------------------------------------------------------------------- what is refused


def test_a_stiff_layer_is_refused_in_words():
    """1e-6 z + 5 in float32 keeps no digit of z."""
    layer = Affine(torch.tensor([5.0, 5.0]), torch.tensor([1e-6, 1e-6]), trainable=True)
    x = torch.randn(5, 2, requires_grad=True)
    value, _ = Reversible(Chain(layer, Radial(2)))(x)
    with pytest.raises(ValueError, match=r"off by .* of the scale, at most 0.001.*use Checkpoint"):
        value.sum().backward()
    value, _ = Reversible(Chain(layer.double(), Radial(2).double()))(x.double())
    value.sum().backward()


class Flat(Bijection):
    """Broken on purpose: its inverse undoes nothing."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z, context=None):
        return z * self.scale + 1, z.new_zeros(len(z))

    def inverse(self, x, context=None):
        return x, x.new_zeros(len(x))


def test_a_wrong_inverse_is_refused():
    value, _ = Reversible(Chain(Flat(), Flat()))(torch.randn(5, 2))
    with pytest.raises(ValueError, match="one is not invertible"):
        value.sum().backward()


def test_second_derivatives_are_refused_and_changed_weights_noticed():
    chain, x = Reversible(shaken(RealNVP(2, 2, 8)).bijection), torch.randn(5, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(chain(x)[1].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="by Reversible cannot be differentiated again"):
        slope.sum().backward()
    total = chain(x)[1].sum()
    with torch.no_grad():
        next(chain.parameters()).add_(1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        total.backward()


def test_inside_functional_call_the_parameters_of_the_call_count():
    chain = shaken(RealNVP(2, 2, 8)).bijection
    moved = {name: p.detach() + 0.1 for name, p in chain.named_parameters()}
    x, found = torch.randn(5, 2), []
    for one, prefix in ((chain, ""), (Reversible(chain), "chain.")):
        given = {prefix + name: value.clone().requires_grad_() for name, value in moved.items()}
        torch.func.functional_call(one, given, (x,))[1].sum().backward()
        found.append([value.grad for value in given.values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------------------- two processes


TWO_PROCESSES = """
import sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from flowlib import Flow, RealNVP, Reversible

dist.init_process_group("gloo")
torch.manual_seed(0)
flow = RealNVP(2, 4, 8)
x = torch.randn(40, 2)
found = []
for one in (flow, Flow(Reversible(flow.bijection), flow.base)):
    flow.zero_grad()
    wrapped = DistributedDataParallel(one)
    (-wrapped(x[dist.get_rank() :: 2]).mean()).backward()
    found.append([p.grad.clone() for p in flow.parameters()])
flow.zero_grad()
(-flow.log_prob(x).mean()).backward()
for whole, *others in zip([p.grad for p in flow.parameters()], *found, strict=True):
    for other in others:
        torch.testing.assert_close(other, whole, rtol=1e-4, atol=1e-6)
dist.destroy_process_group()
"""


def test_under_torchrun_two_processes_share_gradients(tmp_path):
    (tmp_path / "run.py").write_text(TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run = subprocess.run(
        [*command, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr


# ---------------------------------------------------------------------------- maps that keep volume


@pytest.mark.parametrize("b", [0.3, 1.0, -1.0])
def test_laws_of_the_henon_map(b):
    layer = Henon(1.4, b)
    z = torch.randn(6, 2, dtype=torch.float64)
    check_bijection(layer, z=z)
    check_bijection(Inverse(layer), z=z)
    if abs(b) == 1:
        assert layer(z)[1].eq(0).all()
    with pytest.raises(ValueError, match="falls onto a line"):
        Henon(1.4, 0.0)


def test_nice_keeps_volume():
    flow = shaken(RealNVP(3, 4, 8, transformer=AdditiveTransformer()))
    check_bijection(flow.bijection, z=torch.randn(6, 3))
    assert flow.bijection(torch.randn(6, 3))[1].eq(0).all()
