"""Every model, in every precision, run and differentiated in every way: what is right, and what is refused.

    python -m tests.derivatives                           print the table as Markdown (some minutes):
                                                          assets/figures/derivatives.md, which the site shows
    python -m tests.derivatives --model MAF --way vmap    of one model, or of one way

Three results of a model are looked at as functions of a point x and of one number s, by which all its
parameters move along a fixed direction: log_prob(x), sample_with_log_prob of fixed noise, and the round
trip x -> z -> x with both log-determinants. Their values and derivatives are compared with those of the
float64 model, the derivatives found from values alone, by central differences.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import combinations, product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flowlib import (
    CNF,
    IAF,
    MAF,
    NSF,
    Chain,
    Flow,
    Glow,
    Inverse,
    PlanarFlow,
    RadialFlow,
    RealNVP,
    ResidualFlow,
)
from flowlib import StandardNormal as Normal
from flowlib.linear import Linear
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.planar import Sylvester
from flowlib.scalar import Elementwise, MixtureCDF, Sigmoid
from flowlib.splines import CircularSplineTransformer, PiecewiseQuadraticTransformer

# Smooth nets: a ReLU has kinks, across which differences say nothing about derivatives.
MODELS: dict[str, Callable[[], Flow]] = {
    "RealNVP": lambda: RealNVP(2, 2, 8, activation=nn.Tanh),
    "NSF": lambda: NSF(2, 2, 8, bins=3, activation=nn.Tanh),
    "MAF": lambda: MAF(2, 2, 8, activation=nn.Tanh),
    "MAF, splines": lambda: MAF(2, 2, 8, transformer="spline", activation=nn.Tanh),
    "IAF": lambda: IAF(2, 2, 8, activation=nn.Tanh),
    "Glow": lambda: Glow((1, 2, 2), 1, 1, 8),
    "CNF, rk4": lambda: CNF(2, 8, steps=8),
    "CNF, dopri5": lambda: CNF(2, 8, method="dopri5", rtol=1e-8, atol=1e-8),
    "CNF, adjoint": lambda: CNF(2, 8, steps=8, adjoint=True),
    "PlanarFlow": lambda: PlanarFlow(2, 2),
    "PlanarFlow, density": lambda: PlanarFlow(2, 2, "density"),
    "RadialFlow": lambda: RadialFlow(2, 2),
    "Sylvester": lambda: Flow(Sylvester(2), Normal(2)),
    "MixtureCDF": lambda: Flow(Chain(Inverse(Sigmoid()), MixtureCDF(3, (2,)), Inverse(Sigmoid())), Normal(2)),
    "MAF, parabolas": lambda: MAF(2, 2, 8, transformer=PiecewiseQuadraticTransformer(3), activation=nn.Tanh),
    "MAF, circular": lambda: MAF(2, 2, 8, transformer=CircularSplineTransformer(3), activation=nn.Tanh),
    "RealNVP, logistics": lambda: RealNVP(
        2, 2, 8, transformer=LogisticMixtureTransformer(2), activation=nn.Tanh
    ),
    "Logistics, backwards": lambda: Flow(
        Inverse(Elementwise(LogisticMixtureTransformer(2), (2,))), Normal(2)
    ),
    "ResidualFlow": lambda: ResidualFlow(2, 2, 8),
    "ResidualFlow, sample": lambda: ResidualFlow(2, 2, 8, cheap="sample"),
    "Linear": lambda: Flow(Linear(2), Normal(2)),
}
PRECISIONS = {"float32": 2e-3, "float64": 1e-5, "bfloat16 autocast": 0.15}  # and how far results may be off
WAYS = ("eager", "aot_eager", "vmap", "jacrev", "jacfwd", "double backward")
RESULTS = ("log_prob", "sample_with_log_prob", "round trip")
RIGHT = "right"
# Derivatives leave out how an adaptive method's steps depend on x: they are as right as its tolerance.
ADAPTIVE = {"CNF, dopri5": 1e-3}
# What torchdiffeq runs, and the adjoint, cannot be transformed; they say so.
MAY_REFUSE = {
    "CNF, dopri5": ("jacrev",),
    "CNF, adjoint": ("jacrev", "double backward"),
}


class Cell(NamedTuple):
    model: str
    precision: str
    way: str
    result: str


class FixedNoise(Normal):
    """A standard normal base that always draws the same, in every precision."""

    noise: Tensor

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__(event_shape)
        generator = torch.Generator().manual_seed(1)
        self.register_buffer("noise", 0.5 * torch.randn(1, *event_shape, generator=generator))

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        return temperature * self.noise.expand(n, *self.event_shape)


def made(name: str, dtype: torch.dtype = torch.float64) -> Flow:
    """A model whose every parameter has left its start, in evaluation mode."""
    torch.manual_seed(0)
    flow = MODELS[name]()
    for parameter in flow.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    flow.base = FixedNoise(flow.event_shape)
    return flow.to(dtype).eval()


def points(flow: Flow, n: int) -> Tensor:
    """Data for a model of `MODELS`: inside (0, 1), which suits all of them."""
    generator = torch.Generator().manual_seed(0)
    return 0.1 + 0.8 * torch.rand(n, *flow.event_shape, dtype=torch.float64, generator=generator)


class Result(nn.Module):
    """One result of a flow, as a vector, at one point x of shape (1, *event)."""

    def __init__(self, flow: Flow, which: str):
        super().__init__()
        self.flow, self.which = flow, which

    def forward(self, x: Tensor) -> Tensor:
        if self.which == "log_prob":
            return self.flow.log_prob(x)
        if self.which == "sample_with_log_prob":
            value, log_det = self.flow.sample_with_log_prob(1)
        else:
            z, there = self.flow.bijection.inverse(x)
            value, back = self.flow.bijection(z)
            log_det = there + back
        return torch.cat([value.flatten(), log_det])


def as_function(cell: Cell, dtype: torch.dtype, compiled: bool = False) -> Callable[[Tensor], Tensor]:
    """The result as a function of one vector: the entries of x, then s."""
    flow = made(cell.model, dtype)
    result = Result(flow, cell.result)
    if compiled:
        result.compile(backend="aot_eager")
    start = {name: parameter.detach() for name, parameter in result.named_parameters()}
    way = {
        name: torch.cos(torch.arange(float(p.numel())).view(p.shape)).to(dtype) for name, p in start.items()
    }

    def function(vector: Tensor) -> Tensor:
        x, s = vector[:-1].view(1, *flow.event_shape), vector[-1]
        parameters = {name: start[name] + s * way[name] for name in start}
        return torch.func.functional_call(result, parameters, (x,))

    return function


def found(cell: Cell, vector: Tensor) -> Tensor:
    """What the cell's way gives, in the cell's precision."""
    dtype = torch.float64 if cell.precision == "float64" else torch.float32
    autocast = cell.precision.endswith("autocast")
    function = as_function(cell, dtype, compiled=cell.way == "aot_eager")
    vector = vector.to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
        if cell.way == "vmap":
            return torch.func.vmap(function)(torch.stack([vector, vector + 0.01]))
        if cell.way in ("jacrev", "jacfwd"):
            return getattr(torch.func, cell.way)(function)(vector)
        value = function(vector)
        again = cell.way == "double backward"
        gradient = torch.autograd.grad(weigh(value), vector, create_graph=again, allow_unused=False)[0]
        if again:
            return torch.autograd.grad(weigh(gradient), vector)[0]
    return torch.cat([value, gradient])


def expected(cell: Cell, vector: Tensor) -> Tensor:
    """The same from values of the float64 model alone."""
    function = torch.no_grad()(as_function(cell, torch.float64))
    if cell.way == "vmap":
        return torch.stack([function(vector), function(vector + 0.01)])
    if cell.way in ("jacrev", "jacfwd"):
        return difference(function, vector).T
    gradient = difference(lambda place: weigh(function(place)), vector)
    if cell.way == "double backward":
        far = 3e-5
        along = far * weights(vector)
        by_s = [
            difference(lambda place: weigh(function(place)), vector + sign * along, far) for sign in (1, -1)
        ]
        return (by_s[0] - by_s[1]) / (2 * far)
    return torch.cat([function(vector), gradient])


def difference(function: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences by each entry, along dim 0."""
    units = step * torch.eye(len(at), dtype=at.dtype)
    return torch.stack([(function(at + unit) - function(at - unit)) / (2 * step) for unit in units])


def weights(values: Tensor) -> Tensor:
    """Numbers that differ from entry to entry, so that no two entries can stand in for each other."""
    return torch.cos(torch.arange(1.0, 1.0 + values.numel(), dtype=values.dtype))


def weigh(values: Tensor) -> Tensor:
    return (values * weights(values)).sum()


def verdict(cell: Cell) -> str:
    """`right`, `refused: words` or `WRONG: by how much`."""
    vector = torch.cat([points(made(cell.model), 1).flatten(), torch.tensor([0.02], dtype=torch.float64)])
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its transforms and compiler
        try:
            got = found(cell, vector).detach().double()
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            return f"refused: {str(error).strip().splitlines()[0]}"
        truth = expected(cell, vector)
    off = float(((got - truth).abs() / (1 + truth.abs().max())).max())
    allowed = max(PRECISIONS[cell.precision], ADAPTIVE.get(cell.model, 0.0))
    return RIGHT if off < allowed else f"WRONG: off by {off:.2g}"


def must_be_right(cell: Cell) -> bool:
    """Whether an error would not do: eager, jacrev and second derivatives, and what training compiles."""
    if cell.precision not in ("float32", "float64") or cell.way in MAY_REFUSE.get(cell.model, ()):
        return False
    return cell.way in ("eager", "jacrev", "double backward") or cell[2:] == ("aot_eager", "log_prob")


def every_cell() -> Iterator[Cell]:
    yield from (Cell(*values) for values in product(MODELS, PRECISIONS, WAYS, RESULTS))


def pairwise() -> list[Cell]:
    """Cells in which each two values of two columns meet at least once: greedily, the best cell first."""
    covers = {cell: set(combinations(enumerate(cell), 2)) for cell in every_cell()}
    missing = set().union(*covers.values())
    chosen = []
    while missing:
        chosen.append(max(covers, key=lambda cell: len(missing & covers[cell])))
        missing -= covers[chosen[-1]]
    return chosen


def table(models: Sequence[str], ways: Sequence[str]) -> Iterator[str]:
    """The lines of a Markdown table for each precision, and the words of what was refused below."""
    words: dict[str, int] = {}
    for precision in PRECISIONS:
        yield f"\n**{precision}**\n"
        yield "| | " + " | ".join(ways) + " |"
        yield "|---|" + "---|" * len(ways)
        for model in models:
            row = [[verdict(Cell(model, precision, way, result)) for result in RESULTS] for way in ways]
            yield f"| {model} | " + " | ".join(said(verdicts, words) for verdicts in row) + " |"
    yield ""
    yield from (f"{number}. {text}" for text, number in words.items())


def said(verdicts: list[str], words: dict[str, int]) -> str:
    """The three results of a cell in short; what was refused, and why, is numbered in `words`."""
    parts = []
    for verdict in dict.fromkeys(verdicts):
        short, _, why = verdict.partition(": ")
        number = f" ({words.setdefault(why, len(words) + 1)})" if why else ""
        of = [result for result, other in zip(RESULTS, verdicts, strict=True) if other == verdict]
        parts.append(short + number + ("" if len(of) == len(RESULTS) else f": {', '.join(of)}"))
    return "; ".join(parts)


ABOVE = """\
# Which numbers are right

Each model in each precision, run and differentiated in each way: log_prob, sample_with_log_prob and the round
trip x → z → x with its log-determinants, held against central differences of the float64 model. A word holds
for all three where none is named; what is refused says why, by a number that is explained below. Printed by
`python -m tests.derivatives`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS)
    parser.add_argument("--way", choices=WAYS)
    wanted = parser.parse_args()
    logging.disable(logging.WARNING)  # the compiler's
    torch.set_num_threads(1)
    print(ABOVE, flush=True)
    for line in table([wanted.model] if wanted.model else [*MODELS], [wanted.way] if wanted.way else WAYS):
        print(line, flush=True)


if __name__ == "__main__":
    main()
