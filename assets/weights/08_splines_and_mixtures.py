"""Train the rows of lesson 8 in the course's table again: python assets/weights/08_splines_and_mixtures.py

Writes 08_splines_and_mixtures.safetensors beside this file, in about two minutes. The lesson and its demo
load them and check their figures on held-out data.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.models import MAF, RealNVP
from flowlib.splines import SplineTransformer
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")

FLOWS = {
    # The default bound 5 does not hold the target, whose farthest point is 8.1 out.
    "shared_target": lambda: MAF(2, 2, transformer=SplineTransformer(bound=10.0)),
    "shared_target_mixture": lambda: RealNVP(2, 4, transformer=LogisticMixtureTransformer()),
}


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    train, valid = data.shared_target()[:2]
    for name in names or FLOWS:
        torch.manual_seed(0)
        flow = FLOWS[name]()
        history = fit(flow, train, valid, steps=4000, lr=2e-3)
        print(f"{name}: validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s", flush=True)
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
