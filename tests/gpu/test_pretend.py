"""Every lesson on the pretend GPU, and what shows that the pretend GPU is as strict as a real one.

The device can be made known only once in a process and for good, so each part runs in its own.
"""

import json
import subprocess
import sys

import pytest

from tests.gpu.cells import HOUSE, Cell, find_lesson, lesson_numbers, new_namespace, run_cell

SETUP = """
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.distributions import Normal

from flowlib import checks, data, plots, training
from flowlib.bijection import Bijection
from flowlib.base import StandardNormal
from flowlib.flow import Flow
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.memory import Reversible
from flowlib.models import CNF, IAF, MAF, NSF, Glow, PlanarFlow, RealNVP, ResidualFlow
from flowlib.splines import CircularSplineTransformer, PiecewiseQuadraticTransformer

device = torch.device("gpux", 0)
cpu = torch.arange(6.0).view(3, 2)
gpu = cpu.to(device)


def on_gpu(make, steps=5):
    "The same training on the CPU and on the pretend GPU, and the same samples."
    found = []
    for where in ("cpu", device):
        torch.manual_seed(0)
        flow = make().to(where)
        history = training.fit(flow, data.banana(256).to(where), steps=steps, device=where, evaluate_every=1)
        sample = flow.sample(50, generator=torch.Generator().manual_seed(1))
        found.append((history.train, sample.cpu(), flow.log_prob(sample).detach().cpu()))
        assert sample.device.type == torch.device(where).type
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(torch.as_tensor(here), torch.as_tensor(there))
"""

# What must stop, and with which words: first the mistakes that lessons 5 and 6 once made.
FAULTS = {
    "a loss over a CPU tensor": (
        """
weights = torch.rand(1024, 1)
def loss(flow, x, context):
    return -flow.log_prob(x) * weights[: len(x), 0]
training.fit(RealNVP(2), data.banana(256).to(device), steps=3, loss=loss, device=device)
""",
        "Expected all tensors to be on the same device",
    ),
    "an energy over a CPU tensor": (
        """
y = torch.tensor([1.3, 0.6, 1.9])
def log_joint(x):
    return Normal(x.sum(1, keepdim=True), 0.5).log_prob(y).sum(-1)
training.fit_energy(RealNVP(2), log_joint, steps=3, device=device)
""",
        "Expected all tensors to be on the same device",
    ),
    "masks in a list": (
        """
class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.masks = [torch.ones(2, 2).tril()]
        self.layers = nn.ModuleList([nn.Linear(2, 2)])
    def forward(self, x):
        return nn.functional.linear(x, self.masks[0] * self.layers[0].weight, self.layers[0].bias)
Masked().to(device)(gpu)
""",
        "Expected all tensors to be on the same device",
    ),
    "a log-determinant that stays": (
        """
class Stays(Bijection):
    def inverse(self, x, context=None):
        return x, torch.zeros(len(x))
Flow(Stays(), StandardNormal((2,))).to(device).log_prob(gpu)
""",
        "Expected all tensors to be on the same device",
    ),
    "a product": ("gpu @ cpu.T", "Expected all tensors to be on the same device"),
    "a concatenation": ("torch.cat([gpu, cpu])", "Expected all tensors to be on the same device"),
    "a choice": ("torch.where(gpu > 2, gpu, cpu)", "Expected all tensors to be on the same device"),
    "an index on the CPU": ("gpu.index_select(0, torch.tensor([1]))", "same device"),
    "a GPU index": ("cpu[torch.tensor([1]).to(device)]", "indices should be either on cpu"),
    "rows put from the CPU": ("gpu[torch.tensor([0, 1])] = cpu[:2]", "on the same device"),
    "a sum kept on the CPU": ("cpu += gpu.sum()", "on the same device"),
    "a plot": ("plt.plot(gpu[:, 0], gpu[:, 1])", "can't convert gpux:0 device type tensor to numpy"),
    "an image": ("plt.imshow(gpu)", "can't convert gpux:0 device type tensor to numpy"),
    "bars": ("plt.bar([0, 1], [gpu[0, 0], gpu[1, 1]])", "can't convert gpux:0 device type tensor to numpy"),
    "numpy": ("np.asarray(gpu)", "can't convert gpux:0 device type tensor to numpy"),
    ".numpy()": ("gpu.numpy()", "can't convert gpux:0 device type tensor to numpy"),
    "a CPU generator": (
        "torch.randn(3, device=device, generator=torch.Generator())",
        "Expected a 'gpux' device type for generator but found 'cpu'",
    ),
}

# What must run, with the right values.
SOUND = {
    "numbers": """
assert gpu.device == device and type(gpu) is torch.Tensor
assert gpu.tolist() == cpu.tolist() and gpu.sum().item() == 15 and f"{gpu.mean():.1f}" == "2.5"
assert "device='gpux:0'" in repr(gpu) and torch.equal(gpu.cpu(), cpu) and np.array_equal(gpu.cpu(), cpu)
assert torch.equal((gpu * torch.tensor(2.0) + 1).to("cpu"), 2 * cpu + 1)
""",
    "views": """
part = gpu.T[1]
part += 10
gpu[0] = torch.tensor([7.0, 8.0])
assert gpu.tolist() == [[7, 8], [2, 13], [4, 15]] and part.tolist() == [8, 13, 15]
""",
    "shapes changed in place": """
square = gpu[:2].clone()
assert square.t_().tolist() == cpu[:2].T.tolist() and square.unsqueeze_(0).shape == (1, 2, 2)
out = torch.empty(0, device=device)
assert torch.add(gpu, 1, out=out) is out and out.tolist() == (cpu + 1).tolist()
""",
    "complex numbers": """
number = torch.complex(gpu, gpu + 1)
assert torch.equal((number.conj() * number).cpu(), torch.complex(cpu**2 + (cpu + 1) ** 2, 0 * cpu))
assert number.conj().tolist()[0] == [-1j, 1 - 2j]
""",
    "indices of the CPU": """
assert gpu[torch.tensor([2, 0])].tolist() == [[4, 5], [0, 1]] and gpu[cpu > 3].tolist() == [4, 5]
gpu[cpu > 3] = torch.tensor(0.0)
assert gpu[2].tolist() == [0, 0] and gpu[gpu == 3].tolist() == [3]
""",
    "factories": """
torch.manual_seed(3)
there = torch.randn(4, device=device)
torch.manual_seed(3)
assert torch.equal(there.cpu(), torch.randn(4)) and torch.eye(2, device=device).trace() == 2
assert torch.arange(3, device=device).tolist() == [0, 1, 2] and gpu.new_ones(2).device == device
""",
    "linear algebra": """
a = torch.eye(3, device=device) + 0.1 * torch.ones(3, 3, device=device)
assert torch.allclose(torch.linalg.slogdet(a).logabsdet.cpu(), torch.linalg.slogdet(a.cpu()).logabsdet)
assert torch.allclose(a @ a.inverse(), torch.eye(3, device=device), atol=1e-6)
""",
    "derivatives": """
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
def all_of(x):
    one = torch.func.vmap(torch.func.jacrev(net))(x)
    other = torch.func.vmap(torch.func.jacfwd(net))(x)
    return one, other, torch.func.jvp(net, (x,), (x,))[1]
here = all_of(cpu)
net.to(device)
for a, b in zip(here, all_of(gpu), strict=True):
    torch.testing.assert_close(a, b.cpu())
""",
    "modules": """
net = nn.Linear(2, 3)
weight, twin = net.weight, copy.deepcopy(net)
loss = net(cpu).sum()
assert net.to(device).weight is weight and weight.device == device
twin.load_state_dict(net.state_dict())
copy.deepcopy(net.to(device)).load_state_dict(twin.state_dict())
assert torch.equal(net(gpu).cpu(), twin(cpu)) and net.cpu().weight.device.type == "cpu"
torch.testing.assert_close(copy.deepcopy(gpu).cpu(), cpu)
""",
    "RealNVP": "on_gpu(lambda: RealNVP(2, 4, (16, 16)))",
    "NSF": "on_gpu(lambda: NSF(2, 2, (16, 16)))",
    "MAF": "on_gpu(lambda: MAF(2, 2, (16, 16)))",
    "MAF, parabolas": "on_gpu(lambda: MAF(2, 2, 16, transformer=PiecewiseQuadraticTransformer(4)))",
    "RealNVP, circular": "on_gpu(lambda: RealNVP(2, 2, 16, transformer=CircularSplineTransformer(4)))",
    "RealNVP, logistics": "on_gpu(lambda: RealNVP(2, 2, 16, transformer=LogisticMixtureTransformer(2)))",
    "PlanarFlow": "on_gpu(lambda: PlanarFlow(2, 4))",
    "ResidualFlow": "on_gpu(lambda: ResidualFlow(2, 2, 16), steps=3)",
    "Reversible": "on_gpu(lambda: Flow(Reversible(RealNVP(2, 4, 16).bijection), StandardNormal((2,))))",
    "CNF": "on_gpu(lambda: CNF(2, (16, 16), steps=2), steps=3)",
    "Glow": """
x = torch.randn(8, 1, 8, 8)
for checkpointed in (False, True):
    torch.manual_seed(0)
    glow = Glow((1, 8, 8), 2, 2, (8, 8), checkpointed=checkpointed)
    twin = copy.deepcopy(glow).to(device)
    losses = [-flow.log_prob(rows).mean() for flow, rows in ((glow, x), (twin, x.to(device)))]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[0], losses[1].cpu())
    for here, there in zip(glow.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(here.grad, there.grad.cpu(), rtol=1e-3, atol=1e-4)
""",
    "plots": """
flow = RealNVP(2).to(device)
plots.density_map(flow, 3.0, points=20)
plots.scatter_samples(flow.sample(20), 3.0)
plt.close("all")
""",
}


def try_all() -> dict[str, str]:
    """What each snippet raised, "" if nothing. Runs in a process of its own."""
    from tests.gpu import device

    device.install()
    found = {}
    for name, source in {**{name: fault for name, (fault, _) in FAULTS.items()}, **SOUND}.items():
        namespace = new_namespace()
        assert run_cell(Cell("setup", SETUP, ""), namespace) is None
        failure = run_cell(Cell(name, source, ""), namespace)
        found[name] = failure.error if failure else ""
    return found


def in_own_process(*command: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=HOUSE, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def tried():
    return in_own_process("tests.gpu.test_pretend")


one_worker = pytest.mark.xdist_group("tried")  # so that the fixture runs once


@one_worker
@pytest.mark.parametrize("name", FAULTS)
def test_mixing_devices_stops(name, tried):
    assert FAULTS[name][1] in tried[name]


@one_worker
@pytest.mark.parametrize("name", SOUND)
def test_values_are_right(name, tried):
    assert tried[name] == ""


@pytest.mark.parametrize("lesson", [find_lesson(number).parent.name for number in lesson_numbers()])
def test_lesson_keeps_to_one_device(lesson):
    found = in_own_process("tests.gpu.pretend", lesson[:2], "--json")
    assert found["failure"] is None, found["failure"]
    for what in ("trained", "scored"):
        assert found["counts"].get(f"{what} on gpux"), f"{lesson} has {what} nothing on the GPU"


if __name__ == "__main__":
    print(json.dumps(try_all()))
