"""Train the comparisons of lesson 6 again, over seeds:
python assets/results/06_autoregressive.py  (about eight minutes)

Writes 06_autoregressive.json beside this file, table after table.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.distributions import Normal

from flowlib import assets, data, training
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.linear import ActNorm
from flowlib.models import IAF, MAF, NSF, couplings
from flowlib.nets import MLP, MaskedMLP, zero_initialised
from flowlib.scalar import Affine, AffineTransformer
from flowlib.splines import SplineTransformer

fit = partial(training.fit, progress=False)
fit_energy = partial(training.fit_energy, progress=False)


# ---------------------------------------------------------------------------------- the banana


def one_layer(order, transformer):
    return Flow(MaskedAutoregressive(2, (64, 64), transformer, order=order), StandardNormal((2,)))


def stack(normalise):
    layers = [layer for _, layer in MAF(2, 4, transformer=AffineTransformer()).bijection.steps()]
    if normalise:
        layers = [part for layer in layers for part in (layer, ActNorm(2))]
    return Flow(Chain(*layers), StandardNormal((2,)))


def missing(flow, shift=0.0, scale=1.0):
    """Nats that a flow of shift + scale x loses to the truth on fresh points of the banana."""
    fresh = data.banana(20_000, seed=2)
    truth = data.banana_log_prob(fresh).mean() - 2 * torch.tensor(scale).log()
    with torch.no_grad():
        return round((truth - flow.eval().log_prob(shift + scale * fresh).mean()).item(), 4)


def trained(flow, steps, seed):
    """Nats that it misses after so many steps."""
    fit(flow, data.banana(8192, seed=0), data.banana(2048, seed=1), steps=steps, lr=5e-3, seed=seed)
    return missing(flow)


LAYERS = {
    "affine, good order": lambda: one_layer((1, 0), AffineTransformer()),
    "affine, bad order": lambda: one_layer((0, 1), AffineTransformer()),
    "affine, 4 layers": lambda: MAF(2, 4, transformer=AffineTransformer()),
    "spline to 20, bad order": lambda: one_layer((0, 1), SplineTransformer(bound=20.0)),
    "spline to 5, bad order": lambda: one_layer((0, 1), SplineTransformer()),
}


def orders():
    for name, build in LAYERS.items():
        for seed in range(5):
            torch.manual_seed(seed)
            yield {"layers": name, "seed": seed, "missing": trained(build(), 600, seed)}


def splines():
    """One spline layer in the bad order: is it short of pieces, or of training?"""
    for steps in (600, 1800, 5000):
        for pieces in (8, 16):
            for seed in range(3):
                torch.manual_seed(seed)
                flow = one_layer((0, 1), SplineTransformer(pieces, bound=20.0))
                yield {"steps": steps, "pieces": pieces, "seed": seed, "missing": trained(flow, steps, seed)}


def between():
    """ActNorm between the layers, or nothing, on a banana in units of a hundredth."""
    for normalise in (False, True):
        for seed in range(5):
            torch.manual_seed(seed)
            flow = stack(normalise)
            fit(flow, 1000 + 100 * data.banana(8192, seed=0), steps=300, lr=5e-3, seed=seed)
            yield {"actnorm": normalise, "seed": seed, "missing": missing(flow, 1000.0, 100.0)}


# ---------------------------------------------------------------------------------- houses, diamonds


def realnvp(dim, layers, hidden):
    steps = couplings(dim, layers, hidden, 0, nn.ReLU, AffineTransformer())
    return Flow(steps, StandardNormal((dim,)))


def maf(dim, layers, hidden):
    return MAF(dim, layers, hidden, transformer=AffineTransformer())


HOUSE_FLOWS = {
    "RealNVP": lambda: realnvp(5, 6, (48, 48)),
    "MAF": lambda: maf(5, 5, (48, 48)),
    "NSF": lambda: NSF(5, 3, (48, 48)),
}
STONE_FLOWS = {
    "RealNVP": lambda: realnvp(7, 8, (64, 64)),
    "MAF": lambda: maf(7, 7, (64, 64)),
    "NSF": lambda: NSF(7),
}
EARLY = {"steps": 1500, "lr": 1e-3, "weight_decay": 1e-2, "patience": 12}


def scores(build, rows, seed, **settings):
    """log p of each held-out row, under a flow that starts as the identity."""
    torch.manual_seed(seed)
    flow = build()
    for net in flow.modules():
        if isinstance(net, MLP | MaskedMLP):
            zero_initialised(net.layers[-1])
    fit(flow, rows.train, rows.valid, seed=seed, **settings)
    with torch.no_grad():
        return flow.eval().log_prob(rows.test)


def houses():
    """Three flows of a size, each from five starts: NLL, and the difference to RealNVP, row by row."""
    rows = data.ames()
    for seed in range(5):
        found = {name: scores(build, rows, seed, **EARLY) for name, build in HOUSE_FLOWS.items()}
        for name, log_prob in found.items():
            worse = found["RealNVP"] - log_prob
            yield {
                "flow": name,
                "seed": seed,
                "nll": round(-log_prob.mean().item(), 4),
                "worse": round(worse.mean().item(), 4),
                "error": round(worse.std().item() / len(worse) ** 0.5, 4),
            }


def rates():
    """The same on the diamonds at two learning rates each."""
    rows = data.diamonds()
    for name, build in STONE_FLOWS.items():
        for rate in (1e-3, 2e-3):
            log_prob = scores(build, rows, 0, steps=4000, lr=rate)
            yield {"flow": name, "rate": rate, "nll": round(-log_prob.mean().item(), 4)}


# ---------------------------------------------------------------------------------- a posterior


def log_joint(x):
    a, b = x.unbind(-1)
    errors = torch.stack([y - (a + b**2) for y in (1.3, 0.6, 1.9, 1.1, 0.8, 1.4, 0.9, 1.2)], -1)
    return Normal(0.0, 1.0).log_prob(x).sum(-1) + Normal(0.0, 0.5).log_prob(errors).sum(-1)


def posteriors():
    """KL(q || p) of the mean-field normal and of IAF, from five starts, and the deviation of b."""
    log_evidence = data.log_integral(log_joint)
    for seed in range(5):
        torch.manual_seed(seed)
        normal = Flow(Affine(torch.zeros(2), torch.ones(2), trainable=True), StandardNormal((2,)))
        fit_energy(normal, log_joint, steps=600, lr=2e-2)
        iaf = IAF(2, 4, (48, 48), transformer=AffineTransformer())
        fit_energy(iaf, log_joint, steps=1200, lr=3e-3)
        for name, q in (("mean-field normal", normal), ("IAF", iaf)):
            torch.manual_seed(100 + seed)
            with torch.no_grad():
                x, log_q = q.sample_with_log_prob(50_000)
            gap = (log_q - log_joint(x)).mean().item() + log_evidence
            yield {"q": name, "seed": seed, "gap": round(gap, 4), "deviation": round(x[:, 1].std().item(), 4)}


# ---------------------------------------------------------------------------------- rounds


def rounds():
    """All-at-once rounds until each layer of a MAF on digits samples to 1e-5, from five starts."""
    images, _ = data.digits()
    train, valid = (
        6 * data.dequantize(part.flatten(1), 1.0, seed=seed) / data.DIGITS_LEVELS - 3
        for seed, part in enumerate((images.train, images.valid))
    )
    for seed in range(5):
        torch.manual_seed(seed)
        flow = maf(64, 3, (128, 128))
        fit(flow, train, valid, steps=300, lr=2e-3, seed=seed)
        z = torch.randn(256, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for number, (_, layer) in enumerate(flow.double().bijection.steps(), 1):
            with torch.no_grad():
                z, errors = jacobi(layer, z)
            yield {"seed": seed, "layer": number, "rounds": 1 + sum(error > 1e-5 for error in errors)}


def jacobi(layer, z):
    """x, and the largest error after each round of x <- z exp(alpha(x)) + mu(x)."""
    x = [torch.zeros_like(z)]
    for _ in range(z.shape[1]):  # after D rounds it is exact
        x.append(layer.transformer(z, layer.net(x[-1]))[0])
    return x[-1], [(now - x[-1]).abs().max().item() for now in x[1:]]


TABLES = {
    "orders": orders,
    "splines": splines,
    "between": between,
    "houses": houses,
    "posteriors": posteriors,
    "rounds": rounds,
    "rates": rates,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
