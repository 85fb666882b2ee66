"""What the live figures of lesson 5 draw from: pixels that Glow was asked for beforehand.

Glow itself is not computed in a page. A digit of 8 x 8 pixels travels as 64 letters, one for each of 17
levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from flowlib import assets
from flowlib import data as sets
from flowlib.bijection import Chain
from flowlib.course.pages.live.figures import numbers
from flowlib.flow import Flow
from flowlib.image import bits_per_dim, logit_pixels, quantize, uniform_dequantize
from flowlib.models import Glow

LEVELS = sets.DIGITS_LEVELS
LETTERS = "0123456789abcdefg"
NOISES = 4  # for the bits of one image: one noise errs by about 0.09


def trained(name: str, context: int) -> Flow:
    glow = Glow((1, 8, 8), levels=2, steps=4, hidden=(32, 32), context=context)
    flow = Flow(Chain(glow.bijection, logit_pixels(0.05)), glow.base)
    assets.load_weights(flow, "05_glow", name)
    return flow.requires_grad_(False)


def letters(images: Tensor) -> str:
    return "".join(LETTERS[int(level)] for level in images.reshape(-1))


def bits(flow: Flow, images: Tensor, noises: int = 1) -> Tensor:
    """Bits per dimension of each image, (n,), on average over a few noises."""
    noisy = uniform_dequantize(
        images.float().repeat(noises, 1, 1, 1), LEVELS, torch.Generator().manual_seed(0)
    )
    log_prob = torch.cat([flow.log_prob(part) for part in noisy.split(256)])  # small parts stay in the cache
    return bits_per_dim(log_prob, (1, 8, 8), LEVELS).view(noises, -1).mean(0)


@torch.no_grad()
def data() -> dict:
    images, labels = sets.digits()
    flow = trained("digits", 0)
    return {
        "pixels": torch.bincount(images.train.flatten().long(), minlength=LEVELS).tolist(),
        "unseen": torch.bincount(images.test.flatten().long(), minlength=LEVELS).tolist(),
        "some": images.test.flatten()[:60].int().tolist(),
        "rotation": numbers(torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q),
        "temperature": temperature(flow),
        "walk": walk(flow, torch.cat([images.test[labels.test == digit][2:3] for digit in range(10)])),
    }


def temperature(flow: Flow) -> list[dict]:
    """Four digits of each class at 33 temperatures, from the same noise, and their bits."""
    by_class, classes = trained("classes", 10), torch.eye(10).repeat(4, 1)
    noise = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    stops = []
    for tau in range(33):
        x = quantize(by_class.bijection(tau / 20 * noise, classes)[0], LEVELS)
        stops.append({"images": letters(x), "bits": round(bits(flow, x).mean().item(), 3)})
    return stops


def walk(flow: Flow, digits: Tensor) -> dict:
    """From each digit a to each b > a, at 29 places: what latents give; bits of blended pixels and of that."""
    latents = flow.bijection.inverse((digits + 0.5) / LEVELS)[0]
    first, second = torch.triu_indices(10, 10, 1)
    places = torch.arange(-4, 25).view(-1, 1, 1, 1, 1) / 20  # -0.2 ... 1.2
    moved = quantize(
        flow.bijection.to_x(torch.lerp(latents[first], latents[second], places).flatten(0, 1)), LEVELS
    )
    blend = torch.lerp(digits[first], digits[second], places).round().clamp(0, LEVELS - 1).flatten(0, 1)
    return {
        "digits": letters(digits),
        "alone": numbers(bits(flow, digits, NOISES), 2),
        "moved": letters(moved),
        "bits": numbers(torch.stack([bits(flow, blend, NOISES), bits(flow, moved, NOISES)], 1), 2),
    }
