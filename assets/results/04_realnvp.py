"""Measure again what lesson 4 compares over seeds: python assets/results/04_realnvp.py [table ...]

About 12 minutes of processor time for all tables. Writes 04_realnvp.json beside this file.
"""

import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from flowlib import assets, data, training
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.coupling import Coupling, make_mask
from flowlib.flow import Flow
from flowlib.models import NSF, RealNVP
from flowlib.nets import MLP
from flowlib.scalar import AffineToZ, AffineTransformer, LeakyReLU

HOUSES = data.ames()


def nll(flow, rows):
    with torch.no_grad():
        return round(-flow.log_prob(rows).mean().item(), 4)


def seeded(seed, build):
    torch.manual_seed(seed)
    return build()


# ------------------------------------------------------------------------------------------ toys


def leaky():
    """The banana of section 4: eight couplings, alone and with a leaky ReLU after each but the last."""
    points, valid, fresh = (data.banana(n, seed=k) for k, n in enumerate((1024, 1024, 20_000)))
    for seed in range(5):
        for slope in (1.0, 0.5, 0.1):
            couplings = [layer for _, layer in seeded(seed, lambda: RealNVP(2)).bijection.steps()]
            between = [part for layer in couplings for part in (layer, LeakyReLU(slope))][:-1]
            flow = Flow(Chain(*between), StandardNormal((2,)))
            training.fit(flow, points, valid, steps=300, lr=3e-3, weight_decay=1e-5, seed=seed)
            yield {"slope": slope, "seed": seed, "nll": nll(flow, fresh)}


def moons():
    """The moons of section 5: the share of samples more than four deviations off both half circles."""
    points, valid = data.two_moons(20_000, seed=0), data.two_moons(2_000, seed=1)
    for seed in range(4):
        flow = seeded(seed, lambda: RealNVP(2))
        training.fit(flow, points, valid, steps=900, batch_size=512, lr=3e-3, seed=seed)
        drawn = flow.sample(20_000, generator=data.seeded(seed))
        angle = math.pi * torch.linspace(0, 1, 400)
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        near = torch.cdist(drawn, torch.cat([upper, torch.tensor([1.0, 0.5]) - upper])).amin(1)
        off = 100 * (near > 4 * 0.05).float().mean().item()
        yield {"seed": seed, "nll": nll(flow, data.two_moons(20_000, seed=2)), "off %": round(off, 2)}


def spirals():
    """The spirals of section 5 by depth; samples more than three deviations off both arms."""
    points, valid, fresh = (data.spirals(n, seed=k) for k, n in enumerate((20_000, 5_000, 20_000)))
    turn = torch.linspace(0, 1, 1500)
    arm = 3 * turn[:, None] * torch.stack([(3 * math.pi * turn).cos(), (3 * math.pi * turn).sin()], 1)
    arms = torch.cat([arm, -arm])
    for seed in range(3):
        for layers in (4, 8, 16):
            flow = seeded(seed, lambda layers=layers: RealNVP(2, layers))
            training.fit(flow, points, valid, steps=4000, lr=2e-3, seed=seed)
            row = {"layers": layers, "seed": seed, "nll": nll(flow, fresh)}
            for temperature in (1.0, 0.7):
                drawn = flow.sample(5_000, temperature=temperature, generator=data.seeded(seed))
                off = 100 * (torch.cdist(drawn, arms).amin(1) > 0.3).float().mean().item()
                row[f"off %, temperature {temperature}"] = round(off, 1)
            yield row


def crescents():
    """The shared target with its 8,000 rows and with 40,000; fewer steps than in the course's table."""
    _, valid, test, *_ = data.shared_target()
    rows = torch.cat([data.shared_target(seed=seed).train for seed in (0, 1, 2, 3, 4)])
    exact = data.shared_target_log_prob(test).mean().item()
    kinds = {
        "affine x8": lambda: RealNVP(2),
        "spline x4": lambda: NSF(2),
        "spline x2": lambda: NSF(2, layers=2),
    }
    for seed in range(3):
        for kind, build in kinds.items():
            for count in (8_000,) if kind == "spline x2" else (8_000, 40_000):
                flow = seeded(seed, build)
                training.fit(flow, rows[:count], valid, steps=1500, lr=2e-3, seed=seed)
                missing = round(exact + nll(flow, test), 4)
                yield {"flow": kind, "rows": count, "seed": seed, "missing": missing}


# ---------------------------------------------------------------------------------------- houses


def coupled(masks, width):
    """Couplings as RealNVP has them, with masks of our own."""
    layers = []
    for mask in masks:
        stay, move = int(mask.sum()), int((~mask).sum())
        net = MLP(stay, 2 * move, (width, width), zero_start=False)
        layers.append(Coupling(5, mask, net, AffineToZ()))
    return Flow(Chain(*layers), StandardNormal((5,)))


def house_flow(seed, *, layers=6, width=48, transformer=None, masks=None, **settings):
    """The flow of section 6, trained as there, but for what is named."""
    flow = seeded(seed, lambda: coupled(masks, width) if masks else RealNVP(5, layers, (width, width)))
    for _, layer in flow.bijection.steps():
        layer.transformer = transformer or layer.transformer
    settings = {"steps": 1500, "lr": 1e-3, "weight_decay": 1e-2, "patience": 12} | settings
    return flow, training.fit(flow, HOUSES.train, HOUSES.valid, seed=seed, **settings)


def directions():
    """The formula x = z e^s + t, and the one read backwards, z = x e^s + t, each with two bounds."""
    for seed in range(4):
        for name, kind in (("z to x", AffineTransformer), ("x to z", AffineToZ)):
            for bound in (2.0, math.log(1000.0)):
                flow, _ = house_flow(seed, transformer=kind(bound))
                with torch.no_grad():
                    worst = -flow.log_prob(HOUSES.test).min().item()
                row = {"formula from": name, "bound": round(bound, 1), "seed": seed}
                yield row | {"nll": nll(flow, HOUSES.test), "worst house": round(worst, 1)}


HALF = make_mask(5, "half")
ONE = [torch.arange(5) == k % 5 for k in range(6)]
SIZES = {
    "as in section 6": {},
    "2 layers": {"layers": 2},
    "16 layers": {"layers": 16},
    "width 12": {"width": 12},
    "width 192": {"width": 192},
    "rate 1e-4": {"lr": 1e-4},
    "rate 1e-2": {"lr": 1e-2},
    "batch 32": {"batch_size": 32},
    "batch 1024": {"batch_size": 1024},
    "no weight decay": {"weight_decay": 0.0},
    "halves only": {"masks": [HALF, ~HALF] * 3},
    "one moves": {"masks": [~one for one in ONE]},
    "one stays": {"masks": ONE},
}


def sizes():
    """The houses with one setting changed at a time."""
    for name, changed in SIZES.items():
        for seed in range(3):
            flow, history = house_flow(seed, **changed)
            row = {"setting": name, "seed": seed, "parameters": flow.parameter_count}
            row |= {"steps": history.steps[-1], "best step": history.best_step}
            yield row | {"nll": nll(flow, HOUSES.test), "train nll": nll(flow, HOUSES.train)}


class Unbounded(AffineTransformer):
    def log_scale(self, raw):
        return raw


def cures():
    """A training that explodes (unbounded s, rate 0.03), and what helps: one cure at a time."""
    far = 10 * torch.randn(2000, 5, generator=data.seeded(0))
    tried = {
        "none": (Unbounded(), None),
        "clip 1": (Unbounded(), 1.0),
        "spectral norm": (Unbounded(), None),
        "bound 2": (AffineTransformer(2.0), None),
        "z = x e^s + t": (AffineToZ(), None),
    }
    for cure, (transformer, clip) in tried.items():
        for seed in range(3):
            flow = seeded(seed, lambda: RealNVP(5, 6, (48, 48)))
            for _, layer in flow.bijection.steps():
                layer.transformer = transformer
                if cure == "spectral norm":
                    for part in layer.conditioner.layers:
                        if isinstance(part, nn.Linear):
                            spectral_norm(part)
            row = {"cure": cure, "seed": seed, "worst loss": None, "nll": None, "far finite %": None}
            try:
                history = training.fit(
                    flow, HOUSES.train, HOUSES.valid, steps=200, lr=3e-2, clip=clip, seed=seed
                )
            except FloatingPointError:
                yield row  # the loss was no number any more
                continue
            with torch.no_grad():
                finite = 100 * torch.isfinite(flow.log_prob(far)).float().mean().item()
            worst = float(f"{max(history.train + history.valid):.3g}")
            yield row | {"worst loss": worst, "nll": nll(flow, HOUSES.test), "far finite %": round(finite, 1)}


TABLES = {
    "leaky": leaky,
    "moons": moons,
    "directions": directions,
    "cures": cures,
    "sizes": sizes,
    "crescents": crescents,
    "spirals": spirals,
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
