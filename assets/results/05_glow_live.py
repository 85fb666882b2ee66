"""Compute again what the live figures of lesson 5 show, for Glow is not computed in a page:
python assets/results/05_glow_live.py  (half a minute)

Writes 05_glow_live.json beside this file. A digit is 64 letters, one for each of 17 levels of a pixel.
"""

import sys
from pathlib import Path

import torch

from flowlib import assets, data
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.image import bits_per_dim, logit_pixels, quantize, uniform_dequantize
from flowlib.models import Glow

LEVELS = data.DIGITS_LEVELS
LETTERS = "0123456789abcdefg"
NOISES = 4  # for the bits of one image: one noise errs by about 0.09
images, labels = data.digits()


def trained(name, context):
    glow = Glow((1, 8, 8), levels=2, steps=4, hidden=(32, 32), context=context)
    flow = Flow(Chain(glow.bijection, logit_pixels(0.05)), glow.base)
    return assets.load_weights(flow, "05_glow", name).requires_grad_(False)


flow, by_class = trained("digits", 0), trained("classes", 10)


def letters(digits):
    return "".join(LETTERS[int(level)] for level in digits.reshape(-1))


def bits(digits, noises=1):
    """Bits per dimension of each digit, (n,), on average over a few noises."""
    noisy = uniform_dequantize(
        digits.float().repeat(noises, 1, 1, 1), LEVELS, torch.Generator().manual_seed(0)
    )
    return bits_per_dim(flow.log_prob(noisy), (1, 8, 8), LEVELS).view(noises, -1).mean(0)


def temperatures():
    """Four digits of each class from the same noise at each temperature, row by row, and their bits."""
    classes = torch.eye(10).repeat(4, 1)
    noise = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    for step in range(33):
        x = quantize(by_class.bijection(step / 20 * noise, classes)[0], LEVELS)
        yield {"tau": step / 20, "images": letters(x), "bits": round(bits(x).mean().item(), 3)}


def walks():
    """From digit a to b > a, place by place: blended latents as images, bits of both blends."""
    digits = torch.cat([images.test[labels.test == digit][2:3] for digit in range(10)])
    latents = flow.bijection.inverse((digits + 0.5) / LEVELS)[0]
    places = torch.arange(-4, 25).view(-1, 1, 1, 1) / 20
    for a, b in torch.triu_indices(10, 10, 1).T.tolist():
        blend = torch.lerp(digits[a], digits[b], places).round().clamp(0, LEVELS - 1)
        moved = quantize(flow.bijection.to_x(torch.lerp(latents[a], latents[b], places)), LEVELS)
        yield {
            "a": a,
            "b": b,
            "images": letters(moved),
            "latents": [round(value, 2) for value in bits(moved, NOISES).tolist()],
            "pixels": [round(value, 2) for value in bits(blend, NOISES).tolist()],
        }


def alone():
    """The ten digits that walks lead to and from, and their bits."""
    digits = torch.cat([images.test[labels.test == digit][2:3] for digit in range(10)])
    for digit, cost in zip(digits, bits(digits, NOISES).tolist(), strict=True):
        yield {"image": letters(digit), "bits": round(cost, 2)}


TABLES = {"temperatures": temperatures, "walks": walks, "alone": alone}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
