"""Measure again what lesson 7 compares over seeds: python assets/results/07_continuous.py [table ...]

Nine to ten minutes of processor time for all tables. Writes 07_continuous.json beside this file.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from scipy.optimize import linear_sum_assignment
from torch.func import vjp, vmap

from flowlib import assets, data, training
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection
from flowlib.continuous import Continuous, VelocityMLP
from flowlib.flow import Flow
from flowlib.models import CNF

fit = partial(training.fit, progress=False)
target, normal = data.shared_target(), StandardNormal((2,))


def nll(flow, x):
    with torch.no_grad():
        return round(-flow.log_prob(x).mean().item(), 4)


# ------------------------------------------------------------------------ the trace, exact and estimated


def traces():
    """Held-out NLL after 150 steps with the exact trace and with one random sign vector a point."""
    for seed in range(5):
        for trace in ("exact", "hutchinson"):
            torch.manual_seed(seed)
            flow = CNF(2, steps=4, trace=trace, noise="rademacher")
            fit(flow, target.train, steps=150, lr=1e-2, seed=seed)
            flow.bijection.trace, flow.bijection.step_count = "exact", 8
            yield {"trace": trace, "seed": seed, "nll": nll(flow, target.test)}


# ------------------------------------------------------------------------ penalties, and the optimum


class Measured(torch.nn.Module):
    """A velocity whose "trace" is any sum of tr J, |v|^2 and |J|^2, so that one solve adds them up."""

    def __init__(self, net, trace=1.0, kinetic=0.0, frobenius=0.0):
        super().__init__()
        self.net, self.weights = net, (trace, kinetic, frobenius)

    def with_trace(self, t, z, context=None, noise=None):
        v, product = vjp(lambda place: self.net(t, place), z)
        units = torch.eye(2).unsqueeze(1).expand(2, *z.shape)
        (J,) = vmap(product)(units)  # row i of every point's Jacobian
        rates = J[0, :, 0] + J[1, :, 1], v.square().sum(1), J.square().sum((0, 2))
        return v, sum(weight * rate for weight, rate in zip(self.weights, rates, strict=True))


def along(net, x, steps=8, **weights):
    """z, and what is added up along the paths from 0 to 1."""
    z, total = Continuous(Measured(net, **weights), steps=steps).inverse(x)
    return z, -total


def penalised(kinetic, frobenius):
    def loss(flow, x, context):
        # Both sums in one solve: log|det dz/dx| = -(the trace's sum), and a penalty is added.
        z, total = along(flow.bijection.net, x, 4, kinetic=kinetic, frobenius=frobenius)
        return -flow.base.log_prob(z) + total

    return loss


PENALTIES = {"none": (0.0, 0.0), "kinetic": (0.1, 0.0), "Frobenius": (0.0, 0.02), "both": (0.1, 0.02)}


@torch.no_grad()
def penalties():
    """Four losses, three starts each: what is reached, and how it travels."""
    x = target.test[:2000]
    for seed in range(3):
        for name, strengths in PENALTIES.items():
            torch.manual_seed(seed)
            flow = CNF(2, steps=8)
            with torch.enable_grad():
                fit(flow, target.train, steps=800, lr=5e-3, loss=penalised(*strengths), seed=seed)
            net = flow.bijection.net
            _, energy = along(net, x, trace=0.0, kinetic=1.0)
            _, frobenius = along(net, x, trace=0.0, frobenius=1.0)
            adaptive = Continuous(net, method="dopri5")
            adaptive.inverse(target.valid[:500])
            yield {
                "penalty": name,
                "seed": seed,
                "nll": nll(flow, target.test),
                "energy": round(energy.mean().item(), 4),
                "frobenius": round(frobenius.mean().item(), 3),
                "evaluations": adaptive.evaluations,
            }


def assigned(z, x):
    """The least mean of |x - z|^2 over all ways to give each z an x."""
    cost = torch.cdist(z.double(), x.double()).square()
    rows, columns = linear_sum_assignment(cost.numpy())
    return cost[rows, columns].mean().item()


def optimum():
    """W2^2 between as many samples of the base and of the target, and between two samples of the target."""
    for n, seeds in ((250, 5), (500, 5), (1000, 5), (2000, 5), (4000, 2)):
        for seed in range(seeds):
            generator = torch.Generator().manual_seed(seed)
            z = torch.randn(n, 2, generator=generator)
            picked = target.train[torch.randperm(len(target.train), generator=generator)[: 2 * n]]
            same = assigned(picked[:n], picked[n:]) if len(picked) == 2 * n else None
            cost = assigned(z, picked[:n])
            yield {"n": n, "seed": seed, "cost": round(cost, 4), "same": same and round(same, 4)}


# ------------------------------------------------------------------------ no tear


def tears():
    """The share of samples off three rings, by the steps of training."""
    for seed in range(2):
        for steps in (200, 600, 1800):
            torch.manual_seed(seed)
            flow = CNF(2, (96, 96), steps=6)
            fit(flow, data.rings(20_000, noise=0.1, seed=0), steps=steps, lr=5e-3, seed=seed)
            flow.bijection.step_count = 12
            with torch.no_grad():
                radius = flow.sample(20_000, generator=torch.Generator().manual_seed(0)).norm(dim=1)
            off = (radius[:, None] - torch.tensor([1.0, 2.0, 3.0])).abs().amin(1) > 0.4
            yield {
                "steps": steps,
                "seed": seed,
                "off": round(off.float().mean().item(), 4),
                "nll": nll(flow, data.rings(10_000, noise=0.1, seed=2)),
            }


# ------------------------------------------------------------------------ the clinic


class DetachedEuler(Bijection):
    """Ten steps of Euler from x to z; each cuts its state off, and the sign is turned once too often."""

    detached, sign = True, -1

    def __init__(self, net):
        super().__init__()
        self.net = net

    def inverse(self, x, context=None):
        with torch.enable_grad():
            z, log_det, h = x, 0.0, 1 / 10
            for k in range(10):
                z = z.detach().requires_grad_() if self.detached or not z.requires_grad else z
                v = self.net(1 - k * h, z)
                parts = [torch.autograd.grad(v[:, i].sum(), z, create_graph=True)[0][:, i] for i in range(2)]
                z, log_det = z - h * v, log_det - h * sum(parts)
        return z, self.sign * log_det


class DetachedOnly(DetachedEuler):
    sign = 1


class Mended(DetachedOnly):
    detached = False


def clinic():
    """What each loop claims after 150 steps, and the NLL of its field by RK4."""
    x = target.test[:2000]
    for seed in range(3):
        for layer_class in (DetachedEuler, DetachedOnly, Mended):
            torch.manual_seed(seed)
            flow = Flow(layer_class(VelocityMLP(2)), normal)
            fit(flow, target.train, steps=150, lr=1e-2, seed=seed)
            claimed = -flow.log_prob(x).mean().item()
            honest = nll(Flow(Continuous(flow.bijection.net, steps=16), normal), x)
            row = {"loop": layer_class.__name__, "seed": seed, "claimed": round(claimed, 4)}
            yield row | {"honest": honest}


TABLES = {
    "traces": traces,
    "optimum": optimum,
    "clinic": clinic,
    "tears": tears,
    "penalties": penalties,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
