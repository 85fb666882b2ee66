"""Train the flows of lesson 7 again: python assets/weights/07_continuous.py  (about 4 minutes)

Writes 07_continuous.safetensors beside this file. Beside the weights it keeps how many evaluations of
the velocity an adaptive solver needed while the two flows on the shared target were trained. The
lesson loads them and checks their figures on held-out data.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.models import CNF
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")
EVERY = 50  # steps between two counts of evaluations


class PenalisedLoss:
    """-log p(x) plus `strength` times the energy of the path; counts an adaptive solver's evaluations."""

    def __init__(self, strength: float, probe: torch.Tensor):
        self.strength, self.probe = strength, probe
        self.seen, self.counts = 0, []

    def __call__(self, flow, x, context):
        if torch.is_grad_enabled():
            if self.seen % EVERY == 0:
                self.counts.append(self.count(flow.bijection))
            self.seen += 1
        z, log_det, energy = flow.bijection.integrate(x, context, 1.0, 0.0, energy=True)
        loss = -flow.base.log_prob(z) - log_det
        return loss + self.strength * energy if torch.is_grad_enabled() else loss

    @torch.no_grad()
    def count(self, bijection) -> int:
        bijection.method, fixed = "dopri5", bijection.method
        bijection.inverse(self.probe)
        bijection.method = fixed
        return bijection.evaluations


def rings():
    """Training and validation rows of three circles."""
    return data.rings(20_000, noise=0.1, seed=0), data.rings(2_000, noise=0.1, seed=1)


# How to build it, its data, the strength of the penalty, the number of updates.
FLOWS = {
    "free": (lambda: CNF(2, steps=4), lambda: data.shared_target()[:2], 0.0, 3000),
    "straight": (lambda: CNF(2, steps=4), lambda: data.shared_target()[:2], 0.1, 3000),
    "rings": (lambda: CNF(2, (96, 96), steps=8), rings, 0.02, 1800),
}


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or FLOWS:
        build, rows, strength, steps = FLOWS[name]
        train, valid = rows()
        torch.manual_seed(0)
        flow = build()
        loss = PenalisedLoss(strength, valid[:500])
        history = fit(flow, train, valid, steps=steps, lr=5e-3, loss=loss)
        print(f"{name}: validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s", flush=True)
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        weights[f"evaluations.{name}"] = torch.tensor(loss.counts)
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
