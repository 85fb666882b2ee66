"""Train the flows of the playground again: python assets/weights/playground.py  (about 10 minutes)

Writes playground.safetensors beside this file: five flows on five targets, and one flow that is broken by
its design. The page counts the nats that each misses on held-out points.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib.course.pages.live.playground import KINDS, TARGETS, without_turns
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")


def straight(flow, x, context):
    """-log p(x) plus a tenth of the energy of the paths: eight steps of RK4 can follow straight ones."""
    z, log_det, energy = flow.bijection.integrate(x, context, 1.0, 0.0, energy=True)
    nll = -flow.base.log_prob(z) - log_det
    return nll + 0.1 * energy if torch.is_grad_enabled() else nll


# By kind; a name of its own goes before.
SETTINGS = {
    "planar": {"steps": 4000, "lr": 0.02},
    "realnvp": {"steps": 3000, "lr": 4e-3},
    "nsf": {"steps": 3000, "lr": 4e-3},
    "maf": {"steps": 3000, "lr": 4e-3},
    "cnf": {"steps": 2000, "lr": 1e-2},
    # The moons are thin: without the penalty this flow's density adds up to more than 1.
    "moons.cnf": {"steps": 2000, "lr": 1e-2, "loss": straight},
}
# By name: how to build it, its target, its kind.
FLOWS = {f"{target}.{kind}": (KINDS[kind], target, kind) for target in TARGETS for kind in KINDS}
FLOWS["moons.without_turns"] = (without_turns, "moons", "realnvp")


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or FLOWS:
        build, target, kind = FLOWS[name]
        train, valid = TARGETS[target].sample(20_000, 0), TARGETS[target].sample(2_000, 1)
        torch.manual_seed(0)
        flow = build()
        history = fit(flow, train, valid, **SETTINGS.get(name, SETTINGS[kind]))
        missed = min(history.valid) + TARGETS[target].log_prob(valid).mean().item()
        print(f"{name}: {missed:.3f} nats missed on validation, {history.seconds:.0f} s", flush=True)
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
