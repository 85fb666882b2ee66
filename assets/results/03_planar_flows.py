"""Measure again what lesson 3 compares: python assets/results/03_planar_flows.py  (about 8 minutes)

Writes 03_planar_flows.json beside this file. A seed is that of the first weights; data and batches are
the same for all. Everything is trained on one CPU core.

depths             planar layers x -> z on the noisy sine: nats missing on held-out data
many_dimensions    planar and Sylvester layers x -> z on eight independent two-humped variables: the same
energy             eight planar layers z -> x on the energy U2, by reverse KL: KL(q || U2) in nats
folding            eight planar layers x -> z without the constraint, on the noisy sine: held-out NLL in
                   nats, how many standard errors it lies below the entropy, and the integral of the "density"
"""

import json
import math
from pathlib import Path

import torch
from torch import nn

from flowlib import data
from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.models import PlanarFlow
from flowlib.planar import Planar, Sylvester
from flowlib.training import fit, fit_energy

HERE = Path(__file__).with_suffix(".json")


def main() -> None:
    torch.set_num_threads(1)
    tables = {
        "depths": depths(),
        "many_dimensions": many_dimensions(),
        "energy": energy(),
        "folding": folding(),
    }
    lines = {name: "[\n  " + ",\n  ".join(map(json.dumps, rows)) + "\n ]" for name, rows in tables.items()}
    HERE.write_text("{\n" + ",\n".join(f' "{name}": {rows}' for name, rows in lines.items()) + "\n}\n")


def depths() -> list[dict]:
    train, test = data.noisy_sine(10_000, seed=0), data.noisy_sine(10_000, seed=2)
    best = data.noisy_sine_log_prob(test).mean()
    runs = [(n, steps, seed) for steps in (700, 3000) for n in (1, 2, 4, 8) for seed in range(8)]
    # Those that stay behind, and the best single layer, once more: is it a matter of time?
    runs += [(1, 10_000, 0), (1, 10_000, 2), (4, 10_000, 4)]
    rows = []
    for layers, steps, seed in runs:
        torch.manual_seed(seed)
        flow = PlanarFlow(2, layers=layers, cheap="density")
        fit(flow, train, steps=steps, batch_size=512, lr=0.03, device="cpu", progress=False)
        row = {"layers": layers, "steps": steps, "seed": seed}
        rows.append(row | {"missing": missing(flow, test, best)})
        print(rows[-1], flush=True)
    return rows


def many_dimensions() -> list[dict]:
    dim = 8
    train, test = (data.two_gaussians(n * dim, seed=s).view(n, dim) for n, s in ((8000, 0), (4000, 1)))
    mean, deviation = train.mean(0), train.std(0)
    # The best score in the units of the standardised data, in which the flows are scored.
    best = data.two_gaussians_log_prob(test).sum(1).mean() + deviation.log().sum()
    train, test = (train - mean) / deviation, (test - mean) / deviation
    stacks = {
        "2 planar": lambda: [Planar(dim) for _ in range(2)],
        "8 planar": lambda: [Planar(dim) for _ in range(8)],
        "16 planar": lambda: [Planar(dim) for _ in range(16)],
        "3 Sylvester": lambda: [Sylvester(dim, rank=8) for _ in range(3)],
    }
    rows = []
    for steps in (400, 3000):
        for layers, stack in stacks.items():
            for seed in range(3):
                torch.manual_seed(seed)
                flow = Flow(Chain(*(Inverse(layer) for layer in stack())), StandardNormal((dim,)))
                fit(flow, train, steps=steps, lr=0.03, device="cpu", progress=False)
                row = {"layers": layers, "parameters": flow.parameter_count, "steps": steps, "seed": seed}
                rows.append(row | {"missing": missing(flow, test, best)})
                print(rows[-1], flush=True)
    return rows


def energy() -> list[dict]:
    target = data.ENERGIES["U2"]
    log_z = data.log_integral(target, points=600)
    rows = []
    for seed in range(8):
        torch.manual_seed(seed)
        flow = PlanarFlow(2, layers=8, cheap="sample")
        fit_energy(flow, target, steps=600, lr=0.02, device="cpu", progress=False)
        with torch.no_grad():
            x, log_q = flow.sample_with_log_prob(20_000, generator=torch.Generator().manual_seed(7))
        rows.append({"seed": seed, "kl": round(((log_q - target(x)).mean() + log_z).item(), 4)})
        print(rows[-1], flush=True)
    return rows


class Unconstrained(nn.Module):
    """The second patient of lesson 3's clinic: nothing keeps w.u above -1."""

    def __init__(self, depth: int):
        super().__init__()
        self.w, self.u = nn.Parameter(torch.randn(depth, 2)), nn.Parameter(torch.randn(depth, 2))
        self.b = nn.Parameter(torch.randn(depth))

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(len(x))
        for w, u, b in zip(self.w, self.u, self.b, strict=True):
            h = torch.tanh(x @ w + b)
            total = total + torch.log((1 + (1 - h**2) * (w @ u)).abs() + 1e-8)
            x = x + u * h[:, None]
        return StandardNormal((2,)).log_prob(x) + total


def folding() -> list[dict]:
    train, test = data.noisy_sine(10_000, seed=0), data.noisy_sine(10_000, seed=2)
    side = (torch.arange(1000) + 0.5) * 14 / 1000 - 7  # the midpoints of 1,000 cells from -7 to 7
    rows = []
    for seed in range(5):
        torch.manual_seed(seed)
        flow = Unconstrained(8)
        fit(flow, train, steps=600, lr=0.03, device="cpu", progress=False)
        with torch.no_grad():
            scores = -flow.log_prob(test)
            mass = flow.log_prob(torch.cartesian_prod(side, side)).exp().sum() * (14 / 1000) ** 2
        below = (data.NOISY_SINE_ENTROPY - scores.mean()) / (scores.std() / math.sqrt(len(scores)))
        found = {"nll": scores.mean(), "below": below, "mass": mass}
        rows.append({"seed": seed} | {name: round(value.item(), 4) for name, value in found.items()})
        print(rows[-1], flush=True)
    return rows


def missing(flow: Flow, test: torch.Tensor, best: torch.Tensor) -> float:
    with torch.no_grad():
        return round((best - flow.log_prob(test).mean()).item(), 4)


if __name__ == "__main__":
    main()
