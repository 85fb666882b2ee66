"""Train the deep flows of lesson 3 again: python assets/weights/03_planar_flows.py  (about 15 minutes)

Writes 03_planar_flows.safetensors beside this file: 32 planar layers each for the noisy sine and two
moons (x -> z in closed form, maximum likelihood) and for the four energies (z -> x in closed form,
reverse KL). The lesson loads them and checks their figures on held-out data.
"""

import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.models import PlanarFlow
from flowlib.training import fit, fit_energy

DEPTH = 32
HERE = Path(__file__).with_suffix(".safetensors")


def main(names: list[str]) -> None:
    sets = {
        "noisy_sine": (data.noisy_sine(20_000, seed=0), data.noisy_sine(5_000, seed=1)),
        "two_moons": (data.two_moons(20_000, seed=0), data.two_moons(5_000, seed=1)),
    }
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or [*sets, *data.ENERGIES]:
        torch.manual_seed(0)
        flow = PlanarFlow(2, layers=DEPTH, cheap="density" if name in sets else "sample")
        if name in sets:
            history = fit(flow, *sets[name], steps=4000, batch_size=512, lr=0.02)
            print(
                f"{name}: validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s", flush=True
            )
        else:
            history = fit_energy(flow, data.ENERGIES[name], steps=4000, batch_size=512, lr=0.02)
            missing = history.train[-1] + data.log_integral(data.ENERGIES[name])
            print(f"{name}: reverse KL {missing:.3f} nats, {history.seconds:.0f} s", flush=True)
        if not math.isfinite(history.train[-1]):
            raise SystemExit(f"{name} diverged")
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
