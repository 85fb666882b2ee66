"""Train the comparisons of lesson 5 again, over seeds:
python assets/results/05_glow.py  (about ten minutes; name a table to make that one alone)

Writes 05_glow.json beside this file, table after table.
"""

import io
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn
from torch.distributions import Categorical, Normal

from flowlib import assets, data, training
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.image import (
    Conv1x1,
    VariationalDequantization,
    bits_per_dim,
    logit_pixels,
    uniform_dequantize,
)
from flowlib.linear import ActNorm
from flowlib.models import Glow

LEVELS, SHAPE, SIZE = data.DIGITS_LEVELS, (1, 8, 8), 64
SEEDS, FEW = range(5), range(3)  # the second for what takes longer
fit = partial(training.fit, progress=False, batch_size=128)
images, _ = data.digits()


# ---------------------------------------------------------------------------------- parts of Glow


def digit_flow(levels=2, steps=4):
    glow = Glow(SHAPE, levels=levels, steps=steps, hidden=(32, 32))
    return Flow(Chain(glow.bijection, logit_pixels(0.05)), glow.base)


def with_mixing(permutation):
    """Glow whose 1 x 1 convolutions are fixed permutations: `permutation` gives one for C channels."""
    flow = digit_flow()
    for layer in flow.modules():
        if isinstance(layer, Conv1x1):
            layer.set_weight(torch.eye(layer.dim, dtype=torch.float64)[permutation(layer.dim)])
            layer.requires_grad_(False)
    return flow


def without_actnorm():
    """Glow whose ActNorms are and stay the identity."""
    flow = digit_flow()
    for layer in flow.modules():
        if isinstance(layer, ActNorm):
            layer.initialise(torch.randn(2, layer.dim, 1, 1))  # so that no batch starts it
            nn.init.zeros_(layer.log_scale)
            nn.init.zeros_(layer.shift)
            layer.requires_grad_(False)
    return flow


PARTS = {
    "all of Glow": digit_flow,
    "shuffled": lambda: with_mixing(torch.randperm),
    "reversed": lambda: with_mixing(lambda channels: torch.arange(channels).flip(0)),
    "no mixing": lambda: with_mixing(torch.arange),
    "no ActNorm": without_actnorm,
    "one level": lambda: digit_flow(levels=1, steps=8),
}


def uniform_bits(flow, x, context=None):
    return bits_per_dim(flow.log_prob(uniform_dequantize(x, LEVELS)), SHAPE, LEVELS)


def judge(model, loss):
    """Held-out bits/dim as the bound says, and of the mean probability over 20 noises an image."""
    torch.manual_seed(0)
    with torch.no_grad():
        bits = torch.stack([loss(model.eval(), images.test) for _ in range(20)])
    unit = SIZE * math.log(2)
    tighter = (math.log(20) - torch.logsumexp(-bits * unit, 0)) / unit
    return {"bits": round(bits.mean().item(), 4), "of 20 noises": round(tighter.mean().item(), 4)}


def train(model, loss, seed, steps=400):
    settings = {"lr": 1e-2, "weight_decay": 0.3, "evaluate_every": 20, "loss": loss}
    fit(model, images.train, images.valid, steps=steps, seed=seed, **settings)
    return judge(model, loss)


def parts():
    for name, build in PARTS.items():
        for seed in SEEDS:
            torch.manual_seed(seed)
            flow = build()
            yield {"flow": name, "seed": seed, **train(flow, uniform_bits, seed)}


# ---------------------------------------------------------------------------------- noise


class WithNoise(nn.Module):
    """A flow and the noise that it learns together."""

    def __init__(self):
        super().__init__()
        self.flow, self.noise = digit_flow(), VariationalDequantization(SHAPE, LEVELS)


def learned_bits(model, x, context=None):
    y, log_q = model.noise(x)
    return bits_per_dim(model.flow.log_prob(y), SHAPE, LEVELS, log_q=log_q)


def noise():
    """All of Glow with noise that is learned; with uniform noise it is the first of the parts."""
    for seed in FEW:
        torch.manual_seed(seed)
        yield {"flow": "learned noise", "seed": seed, **train(WithNoise(), learned_bits, seed)}


# ---------------------------------------------------------------------------------- a bound


class VAE(nn.Module):
    """The lesson's; `levels` None: a normal for each logit, else a probability for each level of a pixel."""

    def __init__(self, levels=None, dim=SIZE, latents=16, width=128):
        super().__init__()
        self.levels, self.dim = levels, dim
        self.encoder = nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, 2 * latents))
        inner = nn.Linear(latents, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        self.decoder = nn.Sequential(*inner, nn.Linear(width, (levels or 2) * dim))

    def log_prob(self, seen, target, draws=1):
        """(batch,): the bound on log p(target) of so many draws (5.11); the encoder sees `seen`."""
        mean, log_scale = self.encoder(seen).chunk(2, 1)
        q = Normal(mean, log_scale.exp())
        h = q.rsample((draws,))
        if self.levels:
            logits = self.decoder(h).unflatten(-1, (self.dim, self.levels))
            terms = Categorical(logits=logits, validate_args=False).log_prob(target)
        else:
            mean, log_scale = self.decoder(h).chunk(2, -1)
            terms = Normal(mean, log_scale.clamp(-6, 3).exp()).log_prob(target)
        ratio = terms.sum(-1) + Normal(0.0, 1.0).log_prob(h).sum(-1) - q.log_prob(h).sum(-1)
        return torch.logsumexp(ratio, 0) - math.log(draws)


def vae_bits(vae, x, context=None, draws=1):
    if vae.levels:
        seen, target = x.flatten(1) / 8 - 1, x.flatten(1).long()
        log_det = SIZE * math.log(LEVELS)  # a probability already: cancels what (5.3) takes off a density
    else:
        seen, log_det = logit_pixels(0.05).inverse(uniform_dequantize(x, LEVELS).flatten(1))
        target = seen
    size = max(1, 4096 // draws)  # images at a time
    parts = zip(seen.split(size), target.split(size), strict=True)
    nats = torch.cat([vae.log_prob(*part, draws) for part in parts])
    return bits_per_dim(nats, SHAPE, LEVELS, log_det=log_det)


def vaes():
    """Held-out bits/dim of two VAEs, a normal for each logit or a probability for each level, by draws."""
    for name, levels in (("normal on logits", None), ("17 probabilities", LEVELS)):
        for seed in FEW:
            torch.manual_seed(seed)
            vae = VAE(levels)
            fit(vae, images.train, images.valid, steps=1500, lr=3e-3, seed=seed, loss=vae_bits)
            for draws in (1, 10, 100, 1000):
                torch.manual_seed(0)  # the same noise in the pixels for each number of draws
                with torch.no_grad():
                    bits = vae_bits(vae, images.test, draws=draws).mean().item()
                yield {"decoder": name, "seed": seed, "draws": draws, "bits": round(bits, 4)}


# ---------------------------------------------------------------------------------- files


def file_bits(patches, kind, **options):
    """Bits a number of 29 x 29 patches of 8 x 8 as one sheet in a file."""
    sheet = patches.view(29, 29, 3, 8, 8).permute(0, 3, 1, 4, 2).reshape(29 * 8, 29 * 8, 3)
    file = io.BytesIO()
    Image.fromarray(sheet.to(torch.uint8).numpy()).save(file, kind, **options)
    return 8 * len(file.getvalue()) / sheet.numel()


def no_pixel_twice():
    """All patches of the test's columns that stand side by side, instead of some at random places."""
    photographs = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2).float()
    columns = photographs.unflatten(3, (-1, data.PATCHES_STRIP))[..., -10:-2]  # (2, 3, 427, 8 strips, 8)
    return columns[:, :, : 53 * 8].unflatten(2, (53, 8)).permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, 8, 8)


def files():
    """PNG, WebP and the lesson's Glow on test patches as drawn, which overlap, and on such that do not."""
    glow = Glow((3, 8, 8), levels=2, steps=4, hidden=(32, 32))
    flow = assets.load_weights(
        Flow(Chain(glow.bijection, logit_pixels(0.05)), glow.base), "05_glow", "patches"
    )
    kinds = {"as drawn": data.natural_patches().test, "without overlap": no_pixel_twice()}
    for name, patches in kinds.items():
        for seed in SEEDS:
            order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(seed))
            chosen = patches[order[: 29 * 29]]
            torch.manual_seed(0)
            with torch.no_grad():
                log_prob = flow.log_prob(uniform_dequantize(chosen, 256))
            bits = {
                "Glow": bits_per_dim(log_prob, (3, 8, 8), 256).mean().item(),
                "PNG": file_bits(chosen, "png", optimize=True),
                "WebP": file_bits(chosen, "webp", lossless=True, quality=100, method=6),
            }
            yield {"patches": name, "seed": seed} | {coder: round(found, 4) for coder, found in bits.items()}


TABLES = {"parts": parts, "noise": noise, "vaes": vaes, "files": files}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
