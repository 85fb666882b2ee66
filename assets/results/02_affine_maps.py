"""Measure again what lesson 2 compares over seeds: python assets/results/02_affine_maps.py  (about 8 minutes)

Writes 02_affine_maps.json beside this file; with the name of a table, that table alone.

- kinks: thirteen matrices and twelve kinks on the shared target of the course, held-out NLL. The kinks are
  hard, or rounded over `width`. "swapped" is the narrowest rounded stack after training, with hard kinks put
  in; "trained on" means 500 more steps from there.
- optimisers: seven matrices and six rounded kinks on the banana, 500 steps; the nats that are missing then.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from flowlib import data, training
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.scalar import LeakyReLU

SEEDS = range(5)
RESULTS = Path(__file__).with_suffix(".json")
SCHEMES: dict[str, Callable] = {
    "SGD": torch.optim.SGD,
    "SGD, momentum 0.9": lambda weights, lr: torch.optim.SGD(weights, lr=lr, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW, decay 0.01": lambda weights, lr: torch.optim.AdamW(weights, lr=lr, weight_decay=0.01),
}


class RoundedKink(Bijection):
    """As in the lesson: a leaky ReLU whose corner is rounded over about `width`, a branch of a hyperbola."""

    def __init__(self, slope: float, width: float):
        super().__init__()
        self.slope, self.width = slope, width
        self.mean, self.half = (1 + slope) / 2, (1 - slope) / 2

    def forward(self, z, context=None):
        root = (z**2 + self.width**2).sqrt()
        return self.mean * z + self.half * root, (self.mean + self.half * z / root).log().sum(1)

    def inverse(self, x, context=None):
        z = (self.mean * x - self.half * (x**2 + self.slope * self.width**2).sqrt()) / self.slope
        return z, -self.forward(z)[1]


def stack(kink: Bijection, seed: int, kinks: int = 12) -> Flow:
    """As in the lesson: matrices that start as rotations, kinks between them."""
    generator, layers = torch.Generator().manual_seed(seed), []
    for _ in range(kinks):
        rotation = torch.linalg.qr(torch.randn(2, 2, generator=generator)).Q
        layers += [Linear.from_matrix(rotation, torch.randn(2, generator=generator)), kink]
    return Flow(Chain(*layers, Linear(2)), StandardNormal((2,)))


def kinks() -> list[dict]:
    target, rows = data.shared_target(), []

    def record(flow: Flow, name: str, width: float, steps: int, seed: int) -> None:
        with torch.no_grad():
            nll = -flow.log_prob(target.test).mean().item()
        rows.append({"kinks": name, "width": width, "steps": steps, "seed": seed, "nll": round(nll, 4)})
        print(rows[-1], flush=True)

    def fit(flow: Flow, steps: int) -> Flow:
        settings = {"steps": steps, "batch_size": 512, "lr": 0.01, "device": "cpu"}
        training.fit(flow, target.train, target.valid, **settings)
        return flow

    for seed in SEEDS:
        for steps in (500, 3000):
            record(fit(stack(LeakyReLU(0.85), seed), steps), "hard", 0, steps, seed)
        for width, steps in ((1, 500), (0.3, 500), (0.3, 3000), (0.1, 500)):
            flow = fit(stack(RoundedKink(0.85, width), seed), steps)
            record(flow, "rounded", width, steps, seed)
        swapped = stack(LeakyReLU(0.85), seed)
        swapped.load_state_dict(flow.state_dict())  # the matrices of the narrowest
        record(swapped, "swapped", 0, 500, seed)
        record(fit(swapped, 500), "swapped, trained on", 0, 1000, seed)
        record(fit(flow, 500), "rounded, trained on", 0.1, 1000, seed)
    return rows


def optimisers() -> list[dict]:
    train, fresh, rows = data.banana(1024, seed=0), data.banana(20_000, seed=1), []
    best = data.banana_log_prob(fresh).mean()
    for seed in SEEDS:
        for scheme, optimizer in SCHEMES.items():
            for rate in (0.01, 0.03, 0.1):
                flow = stack(RoundedKink(0.5, 0.3), seed, kinks=6)
                descend(flow, optimizer(flow.parameters(), lr=rate), train, seed)
                with torch.no_grad():
                    missing = (best - flow.log_prob(fresh).mean()).item()
                rows.append({"optimiser": scheme, "rate": rate, "seed": seed, "missing": round(missing, 4)})
                print(rows[-1], flush=True)
    return rows


def descend(flow: Flow, optimizer: torch.optim.Optimizer, train: torch.Tensor, seed: int) -> None:
    """500 steps; as in `fit`, a long gradient is cut and the rate falls along half a cosine."""
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(500):
        loss = -flow.log_prob(train[torch.randint(len(train), (256,), generator=generator)]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 10.0)
        optimizer.step()
        schedule.step()


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    tables = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for table in (kinks, optimisers):
        if not names or table.__name__ in names:
            tables[table.__name__] = table()
    lines = {name: ",\n".join(map(json.dumps, rows)) for name, rows in tables.items()}
    RESULTS.write_text(
        "{\n" + ",\n".join(f'"{name}": [\n{text}\n]' for name, text in lines.items()) + "\n}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
