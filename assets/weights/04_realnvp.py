"""Train the flows of lesson 4 that take longest again: python assets/weights/04_realnvp.py  (about 6 minutes)

Writes 04_realnvp.safetensors beside this file. The lesson loads them and checks their figures on
held-out data.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.models import NSF, PlanarFlow, RealNVP
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")


def toy(draw):
    """Training and validation rows of a two-dimensional set."""
    return draw(20_000, seed=0), draw(5_000, seed=1)


FLOWS = {
    "checkerboard": (lambda: RealNVP(2), lambda: toy(data.checkerboard), 2e-3),
    "checkerboard_spline": (lambda: NSF(2), lambda: toy(data.checkerboard), 2e-3),
    "spirals": (lambda: RealNVP(2), lambda: toy(data.spirals), 2e-3),
    "shared_target": (lambda: RealNVP(2), lambda: data.shared_target()[:2], 2e-3),
    "shared_target_spline": (lambda: NSF(2), lambda: data.shared_target()[:2], 2e-3),
    "diamonds": (lambda: RealNVP(7), lambda: data.diamonds()[:2], 1e-3),
    "diamonds_planar": (lambda: PlanarFlow(7, 16, cheap="density"), lambda: data.diamonds()[:2], 5e-3),
}


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or FLOWS:
        build, rows, lr = FLOWS[name]
        torch.manual_seed(0)
        flow = build()
        history = fit(flow, *rows(), steps=4000, lr=lr)
        print(f"{name}: validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s", flush=True)
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
