"""Train the flows of lesson 5 again: python assets/weights/05_glow.py  (about 2 minutes)

Writes 05_glow.safetensors beside this file. The lesson loads them and checks their figures on
held-out images.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flowlib import data
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.image import bits_per_dim, logit_pixels, uniform_dequantize
from flowlib.models import Glow
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")


def glow(shape, context=0):
    """Glow for pixels in [0, 1], with the logit as its last layer."""
    flow = Glow(shape, levels=2, steps=4, hidden=(32, 32), context=context)
    return Flow(Chain(flow.bijection, logit_pixels(0.05)), flow.base)


def digits_alone():
    return data.digits()[0], None


def patches_alone():
    return data.natural_patches(), None


FLOWS = {  # how to build it, images and labels, levels, steps, lr, weight decay
    "digits": (lambda: glow((1, 8, 8)), digits_alone, 17, 400, 1e-2, 0.3),
    "classes": (lambda: glow((1, 8, 8), context=10), data.digits, 17, 500, 1e-2, 0.3),
    "patches": (lambda: glow((3, 8, 8)), patches_alone, data.PATCHES_LEVELS, 800, 5e-3, 0.1),
}


def train(name):
    build, rows, levels, steps, lr, weight_decay = FLOWS[name]
    images, labels = rows()
    shape = tuple(images.train.shape[1:])

    def bits(flow, x, context=None):
        return bits_per_dim(flow.log_prob(uniform_dequantize(x, levels), context), shape, levels)

    context = {}
    if labels is not None:
        one_hot = [torch.nn.functional.one_hot(part, 10).float() for part in (labels.train, labels.valid)]
        context = {"context": one_hot[0], "valid_context": one_hot[1]}
    torch.manual_seed(0)
    flow = build()
    options = {"steps": steps, "lr": lr, "weight_decay": weight_decay, "batch_size": 128, "loss": bits}
    history = fit(flow, images.train, images.valid, evaluate_every=20, **options, **context)
    print(f"{name}: validation {min(history.valid):.3f} bits/dim, {history.seconds:.0f} s", flush=True)
    return {f"{name}.{key}": value for key, value in flow.state_dict().items()}


def main(names: list[str]) -> None:
    weights = load_file(HERE) if HERE.exists() else {}
    for name in names or FLOWS:
        weights |= train(name)
        save_file(weights, HERE)


if __name__ == "__main__":
    main(sys.argv[1:])
