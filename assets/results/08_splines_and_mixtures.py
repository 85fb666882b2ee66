"""Train the comparisons of lesson 8 again, over seeds:
python assets/results/08_splines_and_mixtures.py  (about half an hour; name a table to make that one alone)

Writes 08_splines_and_mixtures.json beside this file, table after table.
"""

import math
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.distributions import Uniform

from flowlib import assets, data, splines, targets, training
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import DiagonalNormal, StandardNormal, StudentT
from flowlib.bijection import Chain
from flowlib.coupling import Coupling
from flowlib.flow import Flow
from flowlib.image import VariationalDequantization, bits_per_dim, logit_pixels, uniform_dequantize
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.models import MAF, NSF, Glow, RealNVP
from flowlib.nets import ConvNet
from flowlib.scalar import AffineTransformer, Elementwise
from flowlib.splines import CircularSplineTransformer, SplineTransformer

fit = partial(training.fit, progress=False)


def figure(value):
    return float(f"{float(value):.4g}") if abs(value) < 1e-3 else round(float(value), 4)


# ---------------------------------------------------------------------------------- pieces

KINDS = {
    "linear": splines.PiecewiseLinearTransformer,
    "quadratic": splines.PiecewiseQuadraticTransformer,
    "rational": SplineTransformer,
}


def pieces():
    """The expected NLL of a density of steps, by the midpoint rule, and its entropy."""
    train = targets.skyline(20_000, seed=0).unsqueeze(1)
    x = middles(-4, 4, 80_000)
    weight = targets.skyline_log_prob(x).exp() * 8 / len(x)
    for count in (5, 10, 40):
        for kind, transformer in KINDS.items():
            base = Uniform(torch.full((1,), -4.0), torch.full((1,), 4.0))
            flow = Flow(Elementwise(transformer(count, bound=4.0), (1,)), base)
            fit(flow, train, steps=1000, batch_size=1000, lr=0.05)
            with torch.no_grad():
                nll = -(weight * flow.log_prob(x.float().unsqueeze(1))).sum()
            row = {"pieces": count, "kind": kind}
            yield {**row, "nll": figure(nll), "entropy": figure(targets.SKYLINE_ENTROPY)}


def middles(low, high, count):
    """The middles of equal pieces of an interval, in float64."""
    return low + (high - low) * (torch.arange(count, dtype=torch.float64) + 0.5) / count


# ---------------------------------------------------------------------------------- equal

# Of a size: 35,344, 34,698 and 35,320 parameters. The default bound 5 does not hold the shared target.
SIZED = {
    "RealNVP": lambda: RealNVP(2),
    "NSF": lambda: NSF(2, 6, bound=10.0),
    "NSF autoregressive": lambda: MAF(2, 4, (72, 72), transformer=SplineTransformer(bound=10.0)),
}


def crescents():
    return data.shared_target()[:3]


def chessboard():
    return [data.checkerboard(n, seed=seed) for seed, n in enumerate((8_000, 2_000, 10_000))]


EQUAL_TARGETS = {"shared": (crescents, 4000), "checkerboard": (chessboard, 2000)}


def equal():
    """Held-out NLL of three flows of a size after as many steps each, and after as many seconds each.

    Seconds are those of one thread at work, whatever else the machine does. RealNVP sets them.
    """
    for target, (draw, steps) in EQUAL_TARGETS.items():
        for seed in range(3):
            limit = None
            for name, build in SIZED.items():
                row = trained(build, draw(), steps, seed)
                yield {"target": target, "flow": name, "match": "parameters", **row}
                limit = limit or row["seconds"]
                fewer = round(steps * limit / row["seconds"])
                row = row if fewer == steps else trained(build, draw(), fewer, seed)
                yield {"target": target, "flow": name, "match": "seconds", **row}


def trained(build, parts, steps, seed):
    train, valid, test = parts
    torch.manual_seed(seed)
    flow = build()
    started = time.process_time()
    fit(flow, train, valid, steps=steps, lr=2e-3, seed=seed)
    seconds = round(time.process_time() - started, 1)
    with torch.no_grad():
        nll = figure(-flow.eval().log_prob(test).mean())
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    return {"parameters": parameters, "steps": steps, "seconds": seconds, "seed": seed, "nll": nll}


# ---------------------------------------------------------------------------------- rows

ROWS = {
    "NSF": lambda: NSF(2),
    "NSF to 10": lambda: NSF(2, bound=10.0),
    "NSF autoregressive": lambda: MAF(2, 2, transformer=SplineTransformer(bound=10.0)),
    "mixture coupling": lambda: RealNVP(2, 4, transformer=LogisticMixtureTransformer()),
}


def rows():
    """The course's table again over seeds: lesson 8's rows, and NSF with a bound that holds the target."""
    for name, build in ROWS.items():
        for seed in range(3):
            yield {"flow": name, **trained(build, crescents(), 4000, seed)}


# ---------------------------------------------------------------------------------- banana

ORDERS = {"good": (1, 0), "bad": (0, 1)}  # x1 given x2 is a normal, x2 given x1 is not


def banana_missing(orders, transformer, seed):
    """Nats to the entropy that autoregressive layers of these orders miss, the last one next to the data."""
    train, valid, fresh = data.banana(8192, seed=0), data.banana(2048, seed=1), data.banana(20_000, seed=2)
    torch.manual_seed(seed)
    layers = (MaskedAutoregressive(2, (64, 64), transformer, order=ORDERS[order]) for order in orders)
    flow = Flow(Chain(*layers), StandardNormal((2,)))
    fit(flow, train, valid, steps=600, lr=5e-3, seed=seed)
    with torch.no_grad():
        return figure((data.banana_log_prob(fresh) - flow.eval().log_prob(fresh)).mean())


BANANA_FLOWS = *(("affine", n, None) for n in (1, 2, 4, 8)), ("spline", 1, 20.0), ("spline", 1, 5.0)


def banana():
    """One layer in either order, and affine ones that alternate: `order` is that of the last layer."""
    for order, other in (("good", "bad"), ("bad", "good")):
        for name, layers, bound in BANANA_FLOWS:
            orders = ([other, order] * layers)[-layers:]
            transformer = AffineTransformer() if bound is None else SplineTransformer(bound=bound)
            for seed in range(3):
                row = {"order": order, "flow": name, "layers": layers, "bound": bound, "seed": seed}
                yield {**row, "missing": banana_missing(orders, transformer, seed)}


def one_order():
    """Affine layers all in the bad order are one together; by quadrature the best one misses 0.3354 nats."""
    for layers in (2, 4, 8):
        for seed in range(3):
            missing = banana_missing(["bad"] * layers, AffineTransformer(), seed)
            yield {"layers": layers, "seed": seed, "missing": missing}


# ---------------------------------------------------------------------------------- tails

BASES = {"normal": lambda: DiagonalNormal((2,)), "student": lambda: StudentT((2,))}


def tails():
    """Log-likelihood of 50,000 held-out points of tail index 3, and of the 1 % that lie farthest out."""
    train, valid = targets.heavy_sine(8192, seed=0), targets.heavy_sine(4096, seed=1)
    test = targets.heavy_sine(50_000, seed=2)
    far = test.norm(dim=1).topk(len(test) // 100).indices
    truth = targets.heavy_sine_log_prob(test[far]).mean()
    for name, base in BASES.items():
        for seed in range(3):
            torch.manual_seed(seed)
            flow = NSF(2, 4, (32, 32), base=base())
            fit(flow, train, valid, steps=1500, lr=2e-3, seed=seed)
            with torch.no_grad():
                log_prob = flow.eval().log_prob(test)
            nll, extreme = figure(-log_prob.mean()), figure(log_prob[far].mean())
            row = {"base": name, "seed": seed, "nll": nll, "extreme": extreme}
            yield {**row, "truth_extreme": figure(truth), "index": 3.0}


# ---------------------------------------------------------------------------------- torus


def circular():
    return RealNVP(2, 4, (32, 32), transformer=CircularSplineTransformer())


def plain():
    """The same on a square: nets that see the angles themselves, and splines that end with slope 1."""
    square = Uniform(torch.full((2,), -math.pi), torch.full((2,), math.pi))
    return RealNVP(2, 4, (32, 32), transformer=SplineTransformer(bound=math.pi), base=square)


def torus():
    """KL(p || q) by quadrature, how much of it lies within 0.1 of a seam, and the jump of log q there."""
    train, valid = targets.torus(20_000, seed=0), targets.torus(5_000, seed=1)
    angles = middles(-math.pi, math.pi, 400)
    x = torch.cartesian_prod(angles, angles)
    near = (x.abs() > math.pi - 0.1).any(1)
    log_p = targets.torus_log_prob(x)
    weight = log_p.exp() * (2 * math.pi / 400) ** 2
    for build in (circular, plain):
        for seed in range(3):
            torch.manual_seed(seed)
            flow = build()
            fit(flow, train, valid, steps=1500, lr=2e-3, seed=seed)
            with torch.no_grad():
                lost = weight * (log_p - flow.eval().log_prob(x.float()))
            row = {"flow": build.__name__, "seed": seed, "kl": figure(lost.sum())}
            yield {**row, "near": figure(lost[near].sum()), "seam": figure(jump(flow, angles))}


def jump(flow, angles):
    """The mean of |log q| on one side of a seam less that on the other, over both seams, in nats."""
    end = torch.full_like(angles, math.pi - 1e-4)
    seams = torch.cat([torch.stack([end, angles], 1), torch.stack([angles, end], 1)]).float()
    across = torch.where(seams == end[0].float(), -seams, seams)
    with torch.no_grad():
        return (flow.log_prob(seams) - flow.log_prob(across)).abs().mean()


# ---------------------------------------------------------------------------------- digits

LEVELS, SHAPE = data.DIGITS_LEVELS, (1, 8, 8)
SIZE = math.prod(SHAPE)


class DigitModel(nn.Module):
    """Lesson 5's Glow of the digits, with a coupling's map and the noise to choose."""

    def __init__(self, dequantization, coupling):
        super().__init__()
        glow = Glow(SHAPE, levels=2, steps=4, hidden=(32, 32))
        if coupling == "mixture":
            put_mixtures(glow)
        self.flow = Flow(Chain(glow.bijection, logit_pixels(alpha=0.05)), glow.base)
        learned = dequantization == "variational"
        self.noise = VariationalDequantization(SHAPE, LEVELS) if learned else None


def put_mixtures(glow, components=4):
    """A mixture of logistics in place of each affine map, and a net that gives its parameters."""
    for layer in glow.modules():
        if isinstance(layer, Coupling):
            stay = int(layer.mask[:, 0, 0].sum())
            layer.transformer = LogisticMixtureTransformer(components)
            layer.conditioner = ConvNet(stay, layer.transformer.count * (len(layer.mask) - stay), (32, 32))


def digit_bits(model, x, context=None):
    y, log_q = model.noise(x) if model.noise else (uniform_dequantize(x, LEVELS), 0.0)
    return bits_per_dim(model.flow.log_prob(y), SHAPE, LEVELS, log_q=log_q)


def digits():
    """Held-out bits/dim: the bound of one noise, and the closer one of the mean probability over 20."""
    images, _ = data.digits()
    settings = {"steps": 400, "lr": 1e-2, "weight_decay": 0.3, "batch_size": 128, "evaluate_every": 20}
    for dequantization in ("uniform", "variational"):
        for coupling in ("affine", "mixture"):
            for seed in range(3):
                torch.manual_seed(seed)
                model = DigitModel(dequantization, coupling)
                fit(model, images.train, images.valid, seed=seed, loss=digit_bits, **settings)
                torch.manual_seed(0)
                with torch.no_grad():
                    bits = torch.stack([digit_bits(model.eval(), images.test) for _ in range(20)])
                nats = -SIZE * math.log(2) * bits
                closer = (math.log(20) - torch.logsumexp(nats, 0)) / (SIZE * math.log(2))
                row = {"dequantization": dequantization, "coupling": coupling, "seed": seed}
                yield {**row, "bits": figure(bits.mean()), "samples": 1}
                yield {**row, "bits": figure(closer.mean()), "samples": 20}


# ---------------------------------------------------------------------------------- round trip


class Splines:
    """Rational-quadratic splines of [-5, 5], y of x, one a row."""

    def __init__(self, logits, minimum):
        count = (logits.shape[1] + 1) // 3
        widths, heights, slopes = logits.split([count, count, count - 1], 1)
        self.x, self.y = (
            nn.functional.pad(10 * shares.cumsum(1) - 5, (1, 0), value=-5.0)
            for shares in (minimum + (1 - count * minimum) * sizes.softmax(1) for sizes in (widths, heights))
        )
        slopes = minimum + nn.functional.softplus(slopes + math.log(math.expm1(1 - minimum)))
        self.slopes = nn.functional.pad(slopes, (1, 1), value=1.0)

    def bin(self, values, knots):
        """Where the bins that hold the values begin, their widths, heights and slopes at both ends."""
        left = (values.unsqueeze(1) >= knots[:, 1:-1]).sum(1, keepdim=True)
        x0, y0, d0 = (table.gather(1, left)[:, 0] for table in (self.x, self.y, self.slopes))
        x1, y1, d1 = (table.gather(1, left + 1)[:, 0] for table in (self.x, self.y, self.slopes))
        return x0, y0, x1 - x0, y1 - y0, d0, d1

    def value(self, x):
        x0, y0, width, height, d0, d1 = self.bin(x, self.x)
        return y0 + height * rise((x - x0) / width, height / width, d0, d1)

    def solve(self, y, formula):
        """x of y, and what the curve of its bin says of y again."""
        x0, y0, width, height, d0, d1 = self.bin(y, self.y)
        s, above = height / width, y - y0
        bend = above * (d0 + d1 - 2 * s)
        a, b, c = height * (s - d0) + bend, height * d0 - bend, -s * above
        xi = formula(a, b, c, s * (height - above))
        return x0 + width * xi, y0 + height * rise(xi, s, d0, d1)


def rise(xi, s, d0, d1):
    """Durkan et al. (2019), equation 4, as a fraction of the bin's height."""
    bow = xi * (1 - xi)
    return (s * xi**2 + d0 * bow) / (s + (d0 + d1 - 2 * s) * bow)


def textbook(a, b, c, rest):
    return (-b + (b**2 - 4 * a * c).sqrt()) / (2 * a)


def stable(a, b, c, rest):
    return 2 * c / (-b - (b**2 - 4 * a * c).sqrt())


def squares(a, b, c, rest):
    """With rest = a + b + c >= 0 >= c the discriminant has no negative term; b < 0 needs the other form."""
    root = ((b + 2 * c) ** 2 - 4 * c * rest).sqrt()
    return torch.where(b > 0, 2 * c / (-b - root), (-b + root) / (2 * a))


def there_and_back(dtype, minimum, scale):
    """By formula: the largest error of x, of the lesser of x's and y's, and how many of 100,000 are lost.

    Where a curve is flat no formula finds x from a rounded y, and where it is steep a rounded x has another
    y: both errors are large only where the formula fails. Over five draws: largest errors, mean losses.
    """
    formulas = textbook, stable, squares
    found = {formula.__name__: [] for formula in formulas}
    for seed in range(5):
        generator = data.seeded(seed)
        logits = scale * torch.randn(100_000, 23, dtype=torch.float64, generator=generator)
        x = (10 * torch.rand(100_000, dtype=torch.float64, generator=generator) - 5).to(dtype)
        curves = Splines(logits.to(dtype), minimum)
        y = curves.value(x)
        for formula in formulas:
            again_x, again_y = curves.solve(y, formula)
            found[formula.__name__].append(torch.stack([again_x - x, again_y - y]).abs())
    for name, errors in found.items():
        errors = torch.cat(errors, 1)
        good = errors[:, errors.isfinite().all(0)]
        row = {"formula": name, "worst": figure(good[0].max()), "off": figure(good.amin(0).max())}
        yield {**row, "nans": (errors.shape[1] - good.shape[1]) / 5}


def roundtrip():
    """x -> y -> x through splines of 8 bins each, a spline for each point, logits 6 N(0, 1)."""
    for dtype in (torch.float32, torch.float64):
        for minimum in (0, 1e-4, 1e-3):
            for row in there_and_back(dtype, minimum, 6.0):
                yield {"dtype": str(dtype).removeprefix("torch."), "minimum": minimum, **row}


def start():
    """The same near the identity, where a flow starts: logits 0.01 N(0, 1), float32."""
    yield from there_and_back(torch.float32, 1e-3, 0.01)


PARTS = pieces, equal, rows, banana, one_order, tails, torus, digits, roundtrip, start
TABLES = {part.__name__: part for part in PARTS}

if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, TABLES, sys.argv[1:])
