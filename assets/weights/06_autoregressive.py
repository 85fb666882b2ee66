"""Train the flows of lesson 6 that take longest again: python assets/weights/06_autoregressive.py

Writes 06_autoregressive.safetensors beside this file, in about four minutes. The lesson and its demo
load them and check their figures on held-out data.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.flow import Flow
from flowlib.models import IAF, MAF, NSF, couplings
from flowlib.nets import MLP, MaskedMLP, zero_initialised
from flowlib.scalar import AffineTransformer
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")


def one_layer(order):
    """A single autoregressive layer on the plane: each p(x_i | x_<i) is a normal."""
    return Flow(MaskedAutoregressive(2, (64, 64), AffineTransformer(), order=order), StandardNormal((2,)))


def maf(dim, layers=5, kind=MAF):
    """With the affine map of the lesson's equations, x = z exp(alpha) + mu."""
    return kind(dim, layers, transformer=AffineTransformer())


def realnvp(dim, layers, hidden):
    return Flow(couplings(dim, layers, hidden, 0, torch.nn.ReLU, AffineTransformer()), StandardNormal((dim,)))


def banana():
    return data.banana(20_000, seed=0), data.banana(5_000, seed=1)


def crescents():
    return data.shared_target()[:2]


def houses():
    return data.ames()[:2]


def stones():
    return data.diamonds()[:2]


EARLY = {"steps": 1500, "lr": 1e-3, "weight_decay": 1e-2, "patience": 12}

FLOWS = {
    "banana_good": (lambda: one_layer((1, 0)), banana, {"steps": 1000, "lr": 3e-3}),
    "banana_bad": (lambda: one_layer((0, 1)), banana, {"steps": 1000, "lr": 3e-3}),
    "shared_target": (lambda: maf(2), crescents, {"steps": 4000, "lr": 2e-3}),
    "shared_target_iaf": (lambda: maf(2, kind=IAF), crescents, {"steps": 4000, "lr": 2e-3}),
    "ames_realnvp": (lambda: realnvp(5, 6, (48, 48)), houses, EARLY),
    "ames_nsf": (lambda: NSF(5, 3, (48, 48)), houses, EARLY),
    # Three flows with 39,000 parameters each, at one rate.
    "diamonds": (lambda: maf(7, layers=7), stones, {"steps": 4000, "lr": 2e-3}),
    "diamonds_realnvp": (lambda: realnvp(7, 8, (64, 64)), stones, {"steps": 4000, "lr": 2e-3}),
    "diamonds_nsf": (lambda: NSF(7), stones, {"steps": 4000, "lr": 2e-3}),
}


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or FLOWS:
        build, rows, settings = FLOWS[name]
        torch.manual_seed(0)
        flow = build()
        # Start as the identity: from random nets NSF ends 0.15 nats worse on the diamonds.
        for net in flow.modules():
            if isinstance(net, MLP | MaskedMLP):
                zero_initialised(net.layers[-1])
        history = fit(flow, *rows(), **settings)
        print(f"{name}: validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s", flush=True)
        weights |= {f"{name}.{key}": value for key, value in flow.state_dict().items()}
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
