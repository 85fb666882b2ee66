"""What flowlib does on a GPU, recorded and eager, beside what its peers do there.

    python -m tests.benchmarks.gpu                 all rows: about two minutes on one H100
    python -m tests.benchmarks.gpu maf glow        some of them
    python -m tests.benchmarks.gpu --device cpu --quick     every line once, at sizes that tell nothing

Prints a markdown table line by line and writes it to benchmark_gpu.md in `--out`, after every row. All
contenders of a row are called by turns in one process. One that fails is named, with the reason, and
the rest goes on. The exit code is 1 if a bar is missed or flowlib fails.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import gc
import importlib.metadata
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from flowlib import training
from flowlib.coupling import Coupling
from flowlib.data import two_moons
from flowlib.models import CNF, Glow, PlanarFlow, RealNVP
from flowlib.recording import Repeater
from tests.benchmarks import peers
from tests.benchmarks.peers import Contender, Scorer
from tests.benchmarks.report import milliseconds, verdict
from tests.benchmarks.speed import Stopwatch, evaluations, ready, sampling, scoring

warnings.filterwarnings("ignore", module="nflows|normflows|zuko")
warnings.filterwarnings("ignore", message="torch.lu is deprecated")  # a peer calls it

OUT = Path(__file__).parents[2] / ".build"
OURS = ("recorded", "eager")
HEAD = "| work | recorded | eager | others | ratio | of | bar | |\n|---|---|---|---|---|---|---|---|"

Loss = Callable[[nn.Module, Tensor], Tensor]
Work = Callable[[], object]


@dataclass
class Row:
    """One line of the table. `value` is what `bar` bounds: from below if `at_least`, else from above.

    `figures` holds a number for each contender, or why there is none; "recorded" and "eager" are flowlib.
    """

    work: str
    figures: dict[str, float | str]
    value: float | None = None
    of: str = ""
    bar: float | None = None
    at_least: bool = True
    unit: str = "×"
    note: str = ""

    @property
    def failed(self) -> list[str]:
        return [name for name, figure in self.figures.items() if isinstance(figure, str)]

    @property
    def passed(self) -> bool | None:
        if set(self.failed) & set(OURS):
            return False
        if self.bar is None or self.value is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar


class Bench:
    """Where to measure and for how long; `size` takes the tiny one of two sizes in a dry run."""

    def __init__(self, device: torch.device, seconds: float, quick: bool):
        self.device, self.quick = device, quick
        self.stopwatch = Stopwatch("wall", 0.0 if quick else seconds, least=1 if quick else 5)
        self.stopwatch.clock = self.clock

    def clock(self) -> float:
        """Seconds on the wall, once the GPU has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def size(self, full, tiny):
        return tiny if self.quick else full

    def bar(self, bar: float) -> float | None:
        return None if self.quick else bar

    def by_turns(self, builders: dict[str, Callable[[], Work]]) -> dict[str, float | str]:
        """Build every contender's work, then call them by turns: medians in milliseconds, or a failure."""
        works, figures = {}, {}
        for name, build in builders.items():
            try:
                works[name] = build()
                works[name]()
                self.clock()  # what fails on the GPU is only noticed when somebody waits for it
            except Exception as error:
                works.pop(name, None)
                figures[name] = failure(error)
        figures |= self.stopwatch(works)
        return {name: figures[name] for name in builders}

    def milliseconds(self, work: Work, calls: int) -> float | str:
        """The median of a few calls, the first of them cold."""
        times = []
        try:
            for _ in range(calls):
                start = self.clock()
                work()
                times.append(1e3 * (self.clock() - start))
        except Exception as error:
            return failure(error)
        return statistics.median(times)

    def peak_gib(self, build: Callable[[], Work]) -> float | str:
        """The most memory that tensors took while some steps were built and called."""
        free_memory()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()  # 0 without a GPU, as below
        try:
            work = build()
            for _ in range(3):
                work()
        except Exception as error:
            return failure(error)
        return (torch.cuda.max_memory_allocated() - before) / 2**30


def failure(error: Exception) -> str:
    traceback.print_exception(error)
    reason = str(error).strip().partition("\n")[0].replace("|", "/")
    return f"failed: {type(error).__name__}: {reason}"[:160]


def free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


# --- steps ---------------------------------------------------------------------------------


def likelihood(model: nn.Module, x: Tensor) -> Tensor:
    return -model.log_prob(x).mean()


def likelihood_bfloat16(model: nn.Module, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        return likelihood(model, x)


def eager_step(model: nn.Module, loss: Loss, x: Tensor) -> Work:
    """A training step as one writes it by hand, operation by operation: ours and theirs alike."""
    model = model.to(x.device)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model, x).backward()
        nn.utils.clip_grad_norm_(parameters, 10.0, foreach=True)
        optimizer.step()

    return step


def recorded_step(model: nn.Module, loss: Loss, x: Tensor, lr: float = 1e-6) -> Work:
    """The step of `flowlib.training.fit`, recorded as there; on a CPU, which cannot record, as it is."""
    update = training.Update(model.to(x.device), lambda model, x, context: loss(model, x), lr=lr)
    step = Repeater(update, watched=x.is_cuda)
    for _ in range(4):  # the fourth call records
        step(x, None)
    if x.is_cuda and step.recorded is None:
        raise RuntimeError(f"not recorded: {step.obstacle}")
    return lambda: step(x, None)


def our_steps(flow: nn.Module, x: Tensor) -> dict[str, Callable[[], Work]]:
    """flowlib's training step, recorded and eager, each with weights of its own."""
    return {
        "recorded": lambda: recorded_step(copy.deepcopy(flow), likelihood, x),
        "eager": lambda: eager_step(copy.deepcopy(flow), likelihood, x),
    }


def their_steps(contenders: dict[str, Contender], x: Tensor) -> dict[str, Callable[[], Work]]:
    return {
        name: lambda contender=contender: eager_step(Scorer(contender), likelihood, x)
        for name, contender in contenders.items()
        if name != "flowlib"
    }


def beside_peers(bench: Bench, work: str, figures: dict[str, float | str], bar: float, note: str = "") -> Row:
    """How many times faster our recorded work is than the fastest peer's eager one."""
    times = {name: figure for name, figure in figures.items() if not isinstance(figure, str)}
    rivals = {name: time for name, time in times.items() if name not in OURS}
    row = Row(work, figures, bar=bench.bar(bar), note=note)
    if rivals and "recorded" in times:
        fastest = min(rivals, key=rivals.get)
        row.value, row.of = rivals[fastest] / times["recorded"], f"{fastest} / recorded"
    return row


def compare(work: str, figures: dict[str, float | str], slow: str, fast: str, of: str) -> Row:
    """How many times longer one of two works takes (or how much more it holds) than the other."""
    row = Row(work, figures)
    if not (isinstance(figures[slow], str) or isinstance(figures[fast], str)):
        row.value, row.of = figures[slow] / max(figures[fast], 1e-12), of
    return row


def training_row(bench: Bench, work: str, contenders: dict[str, Contender], x: Tensor, bar: float) -> Row:
    x = x.to(bench.device)
    steps = our_steps(contenders["flowlib"].model, x) | their_steps(contenders, x)
    return beside_peers(bench, f"{work}: training step", bench.by_turns(steps), bar)


def widths(hidden: Sequence[int]) -> str:
    return "×".join(map(str, hidden))


# --- rows ----------------------------------------------------------------------------------


def real_nvp(bench: Bench) -> Iterator[Row]:
    layers, hidden, batch = bench.size((8, (64, 64), 256), (2, (8, 8), 16))
    work = f"RealNVP, D=2, {layers} layers, {widths(hidden)}, batch {batch}"
    contenders = ready(peers.real_nvp(2, layers, hidden))
    yield training_row(bench, work, contenders, torch.randn(batch, 2), 8.0)


def nsf(bench: Bench) -> Iterator[Row]:
    dim, layers, hidden, batch = bench.size((64, 4, (128, 128), 512), (4, 2, (8, 8), 16))
    work = f"NSF coupling, D={dim}, {layers} layers, {widths(hidden)}, 8 bins, batch {batch}"
    contenders = ready(peers.nsf(dim, layers, hidden))
    yield training_row(bench, work, contenders, torch.randn(batch, dim), 8.0)


def maf(bench: Bench) -> Iterator[Row]:
    dim, layers, hidden, batch = bench.size((64, 5, (256, 256), 512), (4, 2, (8, 8), 16))
    work = f"MAF, D={dim}, {layers} layers, {widths(hidden)}, batch {batch}"
    contenders = ready(peers.maf(dim, layers, hidden))
    yield training_row(bench, work, contenders, torch.randn(batch, dim), 5.0)


def maf_sampling(bench: Bench) -> Iterator[Row]:
    every = ("flowlib", "zuko", "nflows")
    wide = bench.size((784, 1, (1024, 1024)), (6, 1, (8, 8)))
    yield maf_sampling_row(bench, every, *bench.size((64, 5, (256, 256), 512), (4, 2, (8, 8), 16)), 10.0)
    # nflows goes through the whole net for each of the 784 variables and keeps all that it computes.
    yield maf_sampling_row(bench, every[:2], *wide, bench.size(100, 8), None)
    yield maf_sampling_row(bench, every[:2], *wide, bench.size(4096, 16), 20.0)


def maf_sampling_row(bench: Bench, names: Sequence[str], dim, layers, hidden, batch, bar) -> Row:
    built = ready(peers.maf(dim, layers, hidden))
    contenders = {name: built[name] for name in names if name in built}

    def builder(name: str) -> Callable[[], Work]:
        def build():
            contenders[name].model.to(bench.device).eval()
            sample = sampling(contenders, batch)[name]
            for _ in range(2 if name == "flowlib" else 0):  # the second of equal calls records
                sample()
            return sample

        return build

    ours = contenders["flowlib"].model
    builders = {name: builder(name) for name in contenders}
    recorded = {"recorded": builders.pop("flowlib"), "eager": lambda: eager_sampler(ours, batch)}
    figures = bench.by_turns(recorded | builders)
    depth = f"{layers} layer{'s' * (layers > 1)}"
    work = f"MAF sampling, D={dim}, {depth}, {widths(hidden)}, batch {batch:,}"
    return beside_peers(bench, work, figures, bar)


def eager_sampler(flow: nn.Module, batch: int) -> Work:
    """The same draws without a recording: those are for calls that allow no gradients. Here they would
    be allowed, but nothing asks for one."""
    flow = copy.deepcopy(flow).requires_grad_(False)
    return lambda: flow.bijection(flow.base.sample(batch))


def cnf(bench: Bench) -> Iterator[Row]:
    """zuko's adaptive solver decides how often to evaluate the field."""
    hidden, steps, batch = bench.size(((64, 64), 16, 512), ((8, 8), 2, 16))
    x = torch.randn(batch, 2)
    contenders = {"flowlib": peers.from_module(CNF(2, hidden, method="rk4", steps=steps))}
    note = f"evaluations of the field on the way to the loss: flowlib {4 * steps}"
    if peers.zuko:
        contenders["zuko"] = peers.from_zuko(peers.zuko.flows.CNF(2, hidden_features=hidden))
    ready(contenders)
    if peers.zuko:
        note += f", zuko {evaluations(contenders['zuko'].model, x)}"
    work = f"CNF, D=2, {widths(hidden)}, rk4, {steps} steps, batch {batch}"
    row = training_row(bench, work, contenders, x, 15.0)
    row.note = note
    yield row


def glow(bench: Bench) -> Iterator[Row]:
    for steps, width in bench.size(((16, 256), (32, 512)), ((1, 8), (2, 8))):
        yield from glow_rows(bench, steps, width)
        free_memory()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield glow_without_tf32(bench, steps, width)
        free_memory()


def glows(bench: Bench, steps: int, width: int) -> tuple[str, dict[str, Contender], nn.Module, Tensor]:
    """The row's name, the contenders, ours after the first batch has set its ActNorms, and the batch."""
    shape, levels, batch = bench.size(((3, 32, 32), 3, 64), ((3, 8, 8), 2, 4))
    hidden = (width, width)
    work = f"Glow, {widths(shape)}, L={levels}, K={steps}, {widths(hidden)}, batch {batch}"
    x = torch.rand(batch, *shape, device=bench.device) - 0.5
    contenders = ready(peers.glow(shape, levels, steps, hidden))
    flow = contenders["flowlib"].model.to(bench.device)
    with torch.no_grad():
        flow.log_prob(x)
    return work, contenders, flow, x


def glow_without_tf32(bench: Bench, steps: int, width: int) -> Row:
    """With convolutions in full float32 the arithmetic, not launches, takes most of the time."""
    work, contenders, flow, x = glows(bench, steps, width)
    builders = our_steps(flow, x) | their_steps(contenders, x)
    figures = bench.by_turns(
        builders | {"bare nets recorded": lambda: recorded_step(BareNets(flow, x), BareNets.loss, x)}
    )
    nets = figures.pop("bare nets recorded")
    row = beside_peers(bench, f"{work}: training step, convolutions in float32", figures, 1.0)
    row.bar = None
    row.note = nets if isinstance(nets, str) else f"the bare nets alone, recorded: {nets:.1f} ms"
    return row


def glow_rows(bench: Bench, steps: int, width: int) -> Iterator[Row]:
    work, contenders, flow, x = glows(bench, steps, width)
    builders = our_steps(flow, x) | their_steps(contenders, x)
    figures = bench.by_turns(
        builders
        | {
            "bfloat16": lambda: recorded_step(copy.deepcopy(flow), likelihood_bfloat16, x),
            "nets recorded": lambda: recorded_step(BareNets(flow, x), BareNets.loss, x),
            "nets eager": lambda: eager_step(BareNets(flow, x), BareNets.loss, x),
        }
    )
    yield beside_peers(bench, f"{work}: training step", {name: figures[name] for name in builders}, 3.0)

    alone = {name: figures[f"nets {name}"] for name in OURS} | {"whole flow, recorded": figures["recorded"]}
    what, of = f"{work}: its bare nets, training step", "whole flow / bare nets, recorded"
    yield compare(what, alone, "whole flow, recorded", "recorded", of)

    lower = {"recorded": figures["bfloat16"], "float32, recorded": figures["recorded"]}
    what, of = f"{work}: training step in bfloat16 (autocast)", "float32 / bfloat16, recorded"
    row = compare(what, lower, "float32, recorded", "recorded", of)
    row.bar = bench.bar(1.2) if steps == 32 else None
    fresh = Glow(x.shape[1:], bench.size(3, 2), steps, (width, width))
    row.note = nats_of_both(fresh, x, bench.size(12, 1))  # at K=32 longer trainings at this rate blow up
    yield row


def nats_of_both(flow: nn.Module, x: Tensor, steps: int) -> str:
    """What bfloat16 does to the likelihood of a flow that has learned a little."""
    try:
        step = recorded_step(flow, likelihood, x, lr=1e-4)
        for _ in range(steps):
            step()
        with torch.no_grad():
            full, half = likelihood(flow, x).item(), likelihood_bfloat16(flow, x).item()
    except Exception as error:
        return failure(error)
    return f"-log p of an image after {steps} steps in float32: {full:.1f} nats, in bfloat16 {half:.1f}"


def glow_memory(bench: Bench) -> Iterator[Row]:
    shape, levels, batch = bench.size(((3, 32, 32), 3, 64), ((3, 8, 8), 2, 4))
    x = torch.rand(batch, *shape, device=bench.device) - 0.5
    for steps, width in bench.size(((16, 256), (32, 512)), ((1, 8), (2, 8))):
        flow = peers.glow(shape, levels, steps, (width, width))["flowlib"].model
        figures = {name: bench.peak_gib(build) for name, build in our_steps(flow, x).items()}
        work = f"Glow, K={steps}, {width}×{width}, batch {batch}: peak memory of a training step, GiB"
        yield compare(work, figures, "recorded", "eager", "recorded / eager")


class BareNets(nn.Module):
    """The conditioners of a coupling flow, each on an input of the right size, and nothing around them."""

    @torch.no_grad()
    def __init__(self, flow: nn.Module, x: Tensor):
        super().__init__()
        flow = copy.deepcopy(flow)
        layers = [layer for layer in flow.modules() if isinstance(layer, Coupling)]
        self.nets = nn.ModuleList(layer.conditioner for layer in layers)
        shapes: dict[nn.Module, torch.Size] = {}
        hooks = [
            net.register_forward_pre_hook(lambda net, inputs: shapes.update({net: inputs[0].shape}))
            for net in self.nets
        ]
        flow.log_prob(x)
        for hook in hooks:
            hook.remove()
        self.inputs = [torch.randn(shapes[net], device=x.device) for net in self.nets]

    def loss(self, x: Tensor) -> Tensor:
        return sum(net(part).mean() for net, part in zip(self.nets, self.inputs, strict=True))


def fit(bench: Bench) -> Iterator[Row]:
    """The whole call: recording, every step, the look at the loss, the way back to the CPU."""
    steps, batch = bench.size((600, 256), (4, 16))
    train, valid = two_moons(3000, seed=0).split([2000, 1000])

    def fitting(record: bool, valid: Tensor | None = None) -> Work:
        options = {"steps": steps, "batch_size": batch, "device": bench.device, "progress": False}
        return lambda: training.fit(RealNVP(2), train, valid, record=record, **options)

    # A CPU cannot record.
    record = bench.device.type == "cuda"
    figures = {
        "recorded": bench.milliseconds(fitting(record), 3),
        "eager": bench.milliseconds(fitting(False), 1),
        "recorded, with validation": bench.milliseconds(fitting(record, valid), 3),
    }
    row = Row(f"fit, RealNVP, D=2, two moons, {steps} steps, batch {batch}", figures, of="recorded")
    if not isinstance(figures["recorded"], str):
        row.value = figures["recorded"] / 1e3
    row.bar, row.at_least, row.unit = bench.bar(1.5), False, " s"
    yield row


def planar(bench: Bench) -> Iterator[Row]:
    """The direction that needs a root for every point and layer, beside the one that has a formula."""
    yield planar_row(bench, "density", by_roots="sampling", formula="log_prob")
    yield planar_row(bench, "sample", by_roots="log_prob", formula="sampling")


def planar_row(bench: Bench, cheap: str, by_roots: str, formula: str) -> Row:
    layers, batch = bench.size((16, 4096), (2, 16))
    ours = ready({"flowlib": peers.from_module(PlanarFlow(2, layers, cheap=cheap).to(bench.device))})
    x = torch.randn(batch, 2, device=bench.device)
    works = {"sampling": sampling(ours, batch)["flowlib"], "log_prob": scoring(ours, x)["flowlib"]}
    figures = bench.by_turns({"eager": lambda: works[by_roots], formula: lambda: works[formula]})
    work = f'PlanarFlow(cheap="{cheap}"), D=2, {layers} layers, batch {batch:,}: {by_roots} by roots'
    return compare(work, figures, "eager", formula, f"{by_roots} / {formula}")


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "realnvp": real_nvp,
    "nsf": nsf,
    "maf": maf,
    "cnf": cnf,
    "sampling": maf_sampling,
    "planar": planar,
    "fit": fit,
    "glow": glow,
    "memory": glow_memory,
}


# --- the table -----------------------------------------------------------------------------


def number(figure: float | str | None) -> str:
    return figure or "" if figure is None or isinstance(figure, str) else milliseconds(figure)


def line(row: Row) -> str:
    figures = {name: number(figure) for name, figure in row.figures.items()}
    others = ", ".join(f"{name} {figure}" for name, figure in figures.items() if name not in OURS)
    value = "" if row.value is None else f"{row.value:.2f}{row.unit}"
    bar = "" if row.bar is None else f"{'≥' if row.at_least else '≤'} {row.bar:g}{row.unit}"
    cells = (row.work, figures.get("recorded", ""), figures.get("eager", ""), others, value, row.of, bar)
    return "| " + " | ".join((*cells, verdict(row))) + " |"


def where(device: torch.device) -> str:
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU (a dry run)"
    libraries = [f"torch {torch.__version__}"]
    for name in ("zuko", "nflows", "normflows"):
        installed = getattr(peers, name) is not None
        libraries.append(f"{name} {importlib.metadata.version(name)}" if installed else f"no {name}")
    return f"{card}; {', '.join(libraries)}; {datetime.date.today()}"


def table(rows: Sequence[Row], device: torch.device) -> str:
    notes = [f"- {row.work}: {row.note}" for row in rows if row.note]
    lines = [
        "# flowlib on a GPU beside its peers",
        "",
        f"`python -m tests.benchmarks.gpu`: {where(device)}.",
        "As PyTorch comes: products in float32, convolutions in TF32 unless the row says otherwise. Medians",
        "of synchronised calls in milliseconds, all contenders of a row called by turns. A training step:",
        "AdamW, gradients clipped. `recorded` is flowlib's work as one CUDA graph; the peers run as they",
        "come, eager, with equal nets.",
        "",
        HEAD,
        *map(line, rows),
    ]
    return "\n".join([*lines, *(["", "Notes:", "", *notes] if notes else []), ""])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu", description=__doc__.splitlines()[0]
    )
    parser.add_argument("rows", nargs="*", help=f"any of: {', '.join(ROWS)}; default: all")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for benchmark_gpu.md")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each comparison")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one call each, no bars")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.rows if name not in ROWS]
    if unknown:
        parser.error(f"unknown rows: {', '.join(unknown)}; expected {', '.join(ROWS)}")
    device = torch.device(chosen.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device here; a dry run: --device cpu --quick")

    bench = Bench(device, chosen.seconds, chosen.quick)
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    print(f"{where(device)}\n\n{HEAD}", flush=True)
    for name in chosen.rows or ROWS:
        for row in safely(name, bench):
            rows.append(row)
            print(line(row), flush=True)
            (chosen.out / "benchmark_gpu.md").write_text(table(rows, device), encoding="utf-8")
        free_memory()
    return int(any(row.passed is False or (chosen.quick and row.failed) for row in rows))


def safely(name: str, bench: Bench) -> Iterator[Row]:
    """The rows of one comparison; if it breaks down, a row that says so."""
    torch.manual_seed(0)
    try:
        yield from ROWS[name](bench)
    except Exception as error:
        yield Row(name, {"recorded": failure(error)})


if __name__ == "__main__":
    sys.exit(main())
