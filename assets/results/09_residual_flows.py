"""Train and measure the comparisons of lesson 9 again, over seeds:
python assets/results/09_residual_flows.py  (about a quarter of an hour; name a table to make that one alone)

Writes 09_residual_flows.json beside this file, table after table.
"""

import math
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn

from flowlib import assets, data, training
from flowlib.base import DiagonalNormal
from flowlib.bijection import Chain
from flowlib.linear import Linear
from flowlib.lipschitz import LipSwish
from flowlib.memory import Checkpoint, Reversible
from flowlib.models import RealNVP, ResidualFlow
from flowlib.residual import Residual
from flowlib.volume import AdditiveTransformer

fit = partial(training.fit, progress=False)


def figure(value):
    return float(f"{float(value):.4g}") if abs(value) < 1e-3 else round(float(value), 4)


def crescents():
    return data.shared_target()[:3]


def held_out(flow, test):
    """The mean NLL by the exact Jacobian, however the flow was trained."""
    for layer in residual_layers(flow):
        layer.log_det = "exact"
    with torch.no_grad():
        return figure(-flow.eval().log_prob(test).mean())


def residual_layers(flow):
    return [layer for layer in flow.modules() if isinstance(layer, Residual)]


def parameters(flow):
    return sum(parameter.numel() for parameter in flow.parameters())


# ---------------------------------------------------------------------------------- training


def trained(seed, steps=1500, layers=16, **how):
    """How good a residual flow of the shared target is; seconds are those of one thread at work."""
    train, valid, test = crescents()
    torch.manual_seed(seed)
    flow = ResidualFlow(2, layers, (32, 32), lipschitz=0.97, **how)
    started = time.process_time()
    fit(flow, train, valid, steps=steps, lr=5e-3, seed=seed)
    seconds = round(time.process_time() - started, 1)
    row = {"seed": seed, "nll": held_out(flow, test), "seconds": seconds}
    return {**row, "parameters": parameters(flow)}


def shared():
    """16 blocks on the shared target, trained by the exact log-determinant and by an unbiased estimate."""
    for log_det in ("exact", "roulette"):
        for seed in range(3):
            yield {"flow": "residual", "log_det": log_det, **trained(seed, log_det=log_det)}


BENDS = {"LipSwish": LipSwish, "ReLU": nn.ReLU, "tanh": nn.Tanh, "ELU": nn.ELU}


def activation():
    """8 blocks, with bends of slope at most 1 between their linear maps."""
    for name, bend in BENDS.items():
        for seed in range(3):
            row = trained(seed, steps=500, layers=8, activation=bend)
            yield {"activation": name, "seed": seed, "nll": row["nll"]}


# ---------------------------------------------------------------------------------- rounds


def rounds():
    """Errors of sampling with n rounds a block: of the 16 together and of the worst, beside its bound.

    A block alone is given the right x; its bound is (9.4), L^n / (1 - L) times the first step. For the chain
    no such bound is of use: each block may multiply what came before by 1 / (1 - L).
    """
    flow = ResidualFlow(2, 16, (32, 32), lipschitz=0.97)
    flow = assets.load_weights(flow, "09_residual_flows", "shared_target").double().eval()
    layers = residual_layers(flow)
    z = torch.randn(1000, 2, dtype=torch.float64, generator=data.seeded(0))
    with torch.no_grad():
        stops = [stop.value for stop in flow.path(z)]
        pairs = [*zip(layers, stops, stops[1:], strict=False)]
        first = max((layer.solve(x, rounds=1).z - x).norm(dim=1).max() for layer, x, _ in pairs)
        for count in (5, 10, 20, 40, 60, 100, 150):
            alone = max((layer.solve(x, rounds=count).z - z).norm(dim=1).max() for layer, x, z in pairs)
            for layer in layers:
                layer.rounds = count
            row = {
                "blocks": 16,
                "rounds": count,
                "error": figure((flow.bijection(z)[0] - stops[-1]).norm(dim=1).max()),
            }
            yield {**row, "block": figure(alone), "bound": figure(0.97**count / 0.03 * first)}


# ---------------------------------------------------------------------------------- estimators


class Steep(nn.Module):
    """L Q diag(+1, -1, ...) tanh(Q^T z), as steep as L allows at 0. A net at its start is far flatter."""

    def __init__(self, dim, lipschitz):
        super().__init__()
        self.dim, self.lipschitz = dim, lipschitz
        turn = torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64, generator=data.seeded(dim)))[0]
        signs = 1 - 2 * (torch.arange(dim) % 2)
        self.register_buffer("turn", turn)
        self.register_buffer("back", lipschitz * turn * signs)

    def forward(self, z):
        return torch.tanh(z @ self.turn) @ self.back.T


ESTIMATORS = {
    "truncated 2": {"log_det": "series", "terms": 2},
    "truncated 5": {"log_det": "series", "terms": 5},
    "truncated 10": {"log_det": "series", "terms": 10},
    "roulette": {"log_det": "roulette", "terms": 2, "stop": 0.15},
    "roulette, stop 0.5": {"log_det": "roulette", "terms": 2, "stop": 0.5},
}
DRAWS = 20_000


def estimators():
    """Estimates of log det(I + J) at one point, L = 0.9: their bias, the mean of many, how far one strays.

    The roulette's variance is sure to be finite where L^2 < 1 - stop: with 0.15, not with 0.5.
    """
    for dim in (2, 64):
        net = Steep(dim, 0.9)
        z = torch.randn(1, dim, dtype=torch.float64, generator=data.seeded(1))
        exact = Residual(net, log_det="exact")(z)[1].item()
        J = torch.autograd.functional.jacobian(net, z)[0, :, 0]
        for name, how in ESTIMATORS.items():
            found, products = draws_of(Residual(net, generator=data.seeded(0), **how), z)
            off = found - exact
            cut = how["terms"] if how["log_det"] == "series" else None
            bias = 0.0 if cut is None else series(J, cut) - exact
            row = {"dim": dim, "estimator": name, "bias": figure(bias), "mean_error": figure(off.mean())}
            row |= {"standard_error": figure(off.std() / math.sqrt(DRAWS)), "deviation": figure(off.std())}
            yield {**row, "terms": figure(products), "exact": figure(exact)}


def series(J, terms):
    """The first terms of (9.7), with traces as they are."""
    return sum((-1) ** (k + 1) * J.matrix_power(k).trace() / k for k in range(1, terms + 1))


def draws_of(layer, z):
    """Many estimates at one point, and the mean number of products that one takes."""
    rows = 1 if layer.log_det == "roulette" else 100  # the rows of a call share a number of terms
    found, products = [], []
    count, layer.coefficients = layer.coefficients, lambda way: products.append(count(way)) or products[-1]
    with torch.no_grad():
        for _ in range(DRAWS // rows):
            found.append(layer(z.expand(rows, -1))[1])
    return torch.cat(found), sum(map(len, products)) / len(products)


# ---------------------------------------------------------------------------------- memory

DEPTHS, WAYS = (4, 8, 16, 32, 64), ("store", "checkpoint", "reverse")


def memory():
    """What a training step of affine couplings keeps for its backward pass, and its seconds of one thread.

    The least of five, ways in turn. D = 64, 512 rows, nets of 64 x 64; sqrt(depth) parts for checkpoints.
    """
    x = torch.randn(512, 64, generator=data.seeded(0))
    for depth in DEPTHS:
        chains = {way: kept_by(way, coupled(depth)) for way in WAYS}
        held = {way: kept_bytes(chain, x) for way, chain in chains.items()}
        least = dict.fromkeys(WAYS, math.inf)
        for _ in range(5):
            for way, chain in chains.items():
                started = time.process_time()
                chain(x)[1].mean().backward()
                least[way] = min(least[way], time.process_time() - started)
        for way in WAYS:
            yield {"depth": depth, "way": way, "bytes": held[way], "seconds": figure(least[way])}


def coupled(depth, **how):
    """Affine couplings that take turns."""
    torch.manual_seed(0)
    return RealNVP(64, depth, (64, 64), **how).bijection


def kept_by(way, chain):
    if way == "store":
        return chain
    if way == "reverse":
        return Reversible(chain)
    layers = [*chain]
    size = round(math.sqrt(len(layers)))
    return Chain(*(Checkpoint(Chain(*layers[i : i + size])) for i in range(0, len(layers), size)))


def kept_bytes(chain, x):
    """Bytes of distinct storage that autograd keeps for the backward pass, less those of the weights."""
    storages = {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = chain(x)[1].mean()  # holds the graph, so that no storage is freed and its address used again
    for parameter in chain.parameters():
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    del loss
    return sum(storages.values())


# ---------------------------------------------------------------------------------- digits


def digits_lost():
    """Inputs of a chain of matrices computed again from its outputs: their error, and that of the gradients.

    Each matrix turns at random, stretches half of the variables by e^stretch and squeezes the others.
    """
    for dtype in (torch.float32, torch.float64):
        for stretch in (0.25, 1.0):
            for depth in (4, 8, 16, 32):
                row = {"stretch": stretch, "depth": depth, "dtype": str(dtype).removeprefix("torch.")}
                yield {**row, **lost(stretch, depth, dtype)}


def lost(stretch, depth, dtype, dim=8):
    generator = data.seeded(0)
    sizes = torch.full((dim,), stretch, dtype=torch.float64)
    sizes[::2] *= -1
    turns = [torch.randn(dim, dim, dtype=torch.float64, generator=generator) for _ in range(depth)]
    matrices = [torch.linalg.qr(turn)[0] * sizes.exp() for turn in turns]
    chain = Chain(*(Linear.from_matrix(matrix.to(dtype)) for matrix in matrices)).to(dtype)
    x = torch.randn(512, dim, dtype=dtype, generator=generator)
    with torch.no_grad():
        again = chain.inverse(chain(x)[0])[0]
    truth = gradient(chain, x)
    try:
        wrong = figure((gradient(Reversible(chain), x) - truth).norm() / truth.norm())
    except ValueError:  # it refuses, in words
        wrong = "refused"
    condition = torch.linalg.cond(torch.linalg.multi_dot(matrices)).item()
    row = {"condition": float(f"{condition:.3g}"), "error": figure((again - x).abs().max())}
    return {**row, "gradient_error": wrong}


def gradient(chain, x):
    """That of a loss of x and of the log-determinant, by all parameters, as one vector."""
    chain.zero_grad()
    z, log_det = chain(x)
    (0.5 * z.square().sum(1) - log_det).mean().backward()
    return torch.cat([p.grad.flatten() for p in chain.parameters()])


# ---------------------------------------------------------------------------------- volume

VOLUME_TARGETS = {
    "shared": (crescents, data.shared_target_log_prob),
    "checkerboard": (
        lambda: [data.checkerboard(n, seed=seed) for seed, n in enumerate((8_000, 2_000, 10_000))],
        lambda x: torch.full((len(x),), -math.log(32)),
    ),
}


def volume():
    """NICE and RealNVP, of about a size, beside the entropy as the test rows estimate it."""
    for target, (draw, log_prob) in VOLUME_TARGETS.items():
        train, valid, test = draw()
        entropy = figure(-log_prob(test).mean())
        for seed in range(3):
            for name, build in (("NICE", nice), ("RealNVP", lambda: RealNVP(2, 8, (32, 32)))):
                torch.manual_seed(seed)
                flow = build()
                fit(flow, train, valid, steps=2000, lr=2e-3, seed=seed)
                with torch.no_grad():
                    nll = figure(-flow.eval().log_prob(test).mean())
                row = {"target": target, "flow": name, "seed": seed, "nll": nll}
                yield {**row, "entropy": entropy, "parameters": parameters(flow)}


def nice():
    """Additive couplings, and a scale for each variable, here that of the base (Dinh et al., 2015, 3.3)."""
    return RealNVP(2, 8, (32, 32), transformer=AdditiveTransformer(), base=DiagonalNormal(2))


# ---------------------------------------------------------------------------------- solver


def solver():
    """A fixed-point search and Newton's, for 1,000 points to 1e-6: rounds, and seconds of one thread."""
    for dim in (2, 16):
        for bound in (0.5, 0.9, 0.99):
            net = Steep(dim, bound)
            x = torch.randn(1000, dim, dtype=torch.float64, generator=data.seeded(0))
            for method in ("fixed", "newton"):
                layer = Residual(net, solver=method, tolerance=1e-6)
                times = []
                for _ in range(5):
                    started = time.process_time()
                    layer.solve(x)
                    times.append(time.process_time() - started)
                row = {"method": method, "dim": dim, "lipschitz": bound, "evaluations": layer.evaluations}
                yield {**row, "seconds": figure(min(times))}


PARTS = shared, activation, rounds, estimators, memory, digits_lost, volume, solver
TABLES = {part.__name__: part for part in PARTS}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
