"""Held-out log-likelihood of flowlib's models and their peers': equal data, nets, steps and optimiser."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch

from flowlib.data import Split, ames, dequantize, diamonds, digits, two_moons
from flowlib.training import fit
from tests.benchmarks import peers
from tests.benchmarks.peers import Scorer

BUDGET = 1.1  # a peer of up to so many times our parameters counts as equal


@dataclass
class Result:
    data: str
    model: str
    scores: dict[str, tuple[float, float]]  # mean and spread of the test log-likelihood
    parameters: dict[str, int]

    def size(self, name: str) -> float:
        """Parameters of a contender over those of flowlib's model."""
        return self.parameters[name] / self.parameters["flowlib"]

    @property
    def best_peer(self) -> str:
        """The best of those with the same budget of parameters."""
        equal = [name for name in self.scores if name != "flowlib" and self.size(name) <= BUDGET]
        return max(equal, key=lambda name: self.scores[name][0])

    @property
    def passed(self) -> bool:
        (ours, spread), (theirs, their_spread) = self.scores["flowlib"], self.scores[self.best_peer]
        return ours >= theirs - max(spread, their_spread)


def moons() -> Split:
    train, valid, test = two_moons(6000, seed=0).split([2000, 1000, 3000])
    return Split(train, valid, test)


def flat_digits() -> Split:
    """Pixels with uniform noise, standardised: the constants are the same for all models."""
    images, _ = digits()
    parts = [dequantize(part.flatten(1), 1.0, seed) for seed, part in enumerate(images[:3])]
    mean, deviation = parts[0].mean(0), parts[0].std(0)
    return Split(*((part - mean) / deviation for part in parts))


DATA: dict[str, Callable[[], Split]] = {
    "two moons, 2-D": moons,
    "Ames, 5-D": ames,
    "diamonds, 7-D": diamonds,
    "digits, 64-D": flat_digits,
}
MODELS = {
    "RealNVP": lambda dim: peers.real_nvp(dim, 6, (64, 64)),
    "MAF": lambda dim: peers.maf(dim, 5, (64, 64)),
    "NSF coupling": lambda dim: peers.nsf(dim, 4, (64, 64)),
}


def measure(steps: int, seeds: int) -> list[Result]:
    results = []
    for data, load in DATA.items():
        split = load()
        for model, build in MODELS.items():
            scores: dict[str, list[float]] = {}
            sizes: dict[str, int] = {}
            for seed in range(seeds):
                torch.manual_seed(seed)
                for name, contender in build(split.train.shape[1]).items():
                    sizes[name] = contender.parameters
                    scores.setdefault(name, []).append(test_score(Scorer(contender), split, steps, seed))
                    print(f"{data}, {model}, {name}, seed {seed}: {scores[name][-1]:.3f}", file=sys.stderr)
            results.append(
                Result(data, model, {name: summary(values) for name, values in scores.items()}, sizes)
            )
    return results


def summary(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation; one training that broke down counts as minus infinity."""
    mean = statistics.mean(values)
    return mean, statistics.pstdev(values) if math.isfinite(mean) else 0.0


def test_score(model: Scorer, split: Split, steps: int, seed: int) -> float:
    """Mean test log-likelihood after training; minus infinity if training broke down."""
    try:
        fit(model, split.train, split.valid, steps=steps, batch_size=256, lr=1e-3, seed=seed, progress=False)
    except FloatingPointError:
        return float("-inf")
    with torch.no_grad():
        return float(model.log_prob(split.test).mean())
