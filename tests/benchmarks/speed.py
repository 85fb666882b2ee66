"""How fast flowlib is beside its peers, beside the bare nets inside it, and how its cost grows.

All contenders of a row are called by turns in one process and their medians compared, so that what
else the machine does hits all alike.
"""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from flowlib.coupling import Coupling
from flowlib.models import CNF, MAF
from tests.benchmarks import peers
from tests.benchmarks.peers import Contender, shake, zuko

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Row:
    """One line of the table. `ratio` is what `bar` bounds: from below if `at_least`, else from above."""

    work: str
    times: dict[str, float]  # milliseconds
    ratio: float | None = None
    against: str = ""
    bar: float | None = None
    at_least: bool = True
    note: str = ""
    section: str = field(default="speed")

    @property
    def passed(self) -> bool | None:
        if self.bar is None:
            return None
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar


class Stopwatch:
    """Calls by turns until `seconds` are spent, at least `least` times each; medians in milliseconds."""

    def __init__(self, clock: str, seconds: float = 10.0, least: int = 5, most: int = 300):
        self.clock, self.seconds, self.least, self.most = CLOCKS[clock], seconds, least, most

    def __call__(self, works: dict[str, Callable[[], object]], least: int | None = None) -> dict[str, float]:
        for work in works.values():  # the first call pays for set-up
            work()
        times = {name: [] for name in works}
        began = time.perf_counter()
        rounds = 0
        while rounds < (least or self.least) or (
            time.perf_counter() - began < self.seconds and rounds < self.most
        ):
            for name, work in works.items():
                start = self.clock()
                work()
                times[name].append(self.clock() - start)
            rounds += 1
        return {name: 1e3 * statistics.median(values) for name, values in times.items()}


def training_step(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-6)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def scoring(contenders: dict[str, Contender], x: Tensor) -> dict[str, Callable]:
    def scorer(contender):
        def score():
            with torch.no_grad():
                contender.log_prob(x)

        return score

    return {name: scorer(contender) for name, contender in contenders.items()}


def training(contenders: dict[str, Contender], x: Tensor) -> dict[str, Callable]:
    def trainer(contender):
        return training_step(contender.model, lambda: -contender.log_prob(x).mean())

    return {name: trainer(contender) for name, contender in contenders.items()}


def sampling(contenders: dict[str, Contender], n: int) -> dict[str, Callable]:
    def sampler(contender):
        def sample():
            with torch.no_grad():
                contender.sample(n)

        return sample

    return {name: sampler(contender) for name, contender in contenders.items()}


def bare_nets(flow: nn.Module, x: Tensor) -> tuple[Callable, Callable]:
    """Only the conditioners of a coupling flow, on inputs of the right size: score and training step."""
    nets, inputs = [], []
    hooks = [
        layer.conditioner.register_forward_pre_hook(
            lambda net, arguments: nets.append(net) or inputs.append(arguments[0].clone())
        )
        for layer in flow.modules()
        if isinstance(layer, Coupling)
    ]
    with torch.no_grad():
        flow.log_prob(x)
    for hook in hooks:
        hook.remove()

    def score():
        with torch.no_grad():
            for net, part in zip(nets, inputs, strict=True):
                net(part)

    def loss():
        return sum(net(part).mean() for net, part in zip(nets, inputs, strict=True))

    return score, training_step(flow, loss)


def fastest_peer(times: dict[str, float]) -> str:
    return min((name for name in times if name not in ("flowlib", "bare nets")), key=times.get)


def against_peers(work: str, times: dict[str, float], bar: float, note: str = "") -> Row:
    peer = fastest_peer(times)
    return Row(work, times, times[peer] / times["flowlib"], f"{peer} / flowlib", bar, True, note)


def sizes(contenders: dict[str, Contender]) -> str:
    return "parameters: " + ", ".join(f"{name} {c.parameters:,}" for name, c in contenders.items())


def ready(contenders: dict[str, Contender]) -> dict[str, Contender]:
    for contender in contenders.values():
        shake(contender.model)
    return contenders


def evaluations(theirs: nn.Module, x: Tensor) -> int:
    """How often the adaptive solver of zuko's CNF evaluates the field for one log_prob."""
    calls = []
    hook = theirs.transform.ode.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        theirs().log_prob(x)
    hook.remove()
    return len(calls)


# --- rows ----------------------------------------------------------------------------------


def maf_sampling(watch: Stopwatch) -> Iterator[Row]:
    contenders = ready(peers.maf(64, 5, (256, 256)))
    times = watch(sampling(contenders, 512))
    what = "MAF sampling, D=64, 5 layers, 256×256, batch 512"
    yield against_peers(what, times, 12.0, sizes(contenders))
    ours = {"flowlib": contenders["flowlib"]}
    both = watch(
        {
            "flowlib": sampling(ours, 512)["flowlib"],
            "log_prob": scoring(ours, torch.randn(512, 64))["flowlib"],
        }
    )
    ratio = both["flowlib"] / both["log_prob"]
    yield Row("MAF sampling over MAF log_prob, same model", both, ratio, "sampling / log_prob", 6.0, False)


def maf_wide(watch: Stopwatch) -> Iterator[Row]:
    every = peers.maf(784, 1, (1024, 1024))
    contenders = ready({name: every[name] for name in ("flowlib", "zuko")})
    fast = watch(sampling({"flowlib": contenders["flowlib"]}, 100))
    slow = watch(sampling({"zuko": contenders["zuko"]}, 100), least=2)
    what = "MAF sampling, D=784, 1 layer, 1024×1024, batch 100"
    yield against_peers(what, fast | slow, 60.0, sizes(contenders))


def real_nvp_small(watch: Stopwatch) -> Iterator[Row]:
    contenders = ready(peers.real_nvp(2, 8, (64, 64)))
    x = torch.randn(256, 2)
    bare_score, bare_step = bare_nets(contenders["flowlib"].model, x)
    what = "RealNVP, D=2, 8 layers, 64×64, batch 256"
    for name, works, bare, bar, limit in (
        ("training step", training(contenders, x), bare_step, 1.1, 1.35),
        ("log_prob", scoring(contenders, x), bare_score, 1.25, 1.6),
    ):
        times = watch(works | {"bare nets": bare})
        yield against_peers(f"{what}: {name}", times, bar, sizes(contenders))
        ratio = times["flowlib"] / times["bare nets"]
        yield Row(f"{what}: {name}", times, ratio, "flowlib / its bare nets", limit, False)
    if shutil.which("c++"):  # torch.compile needs it on a CPU
        ours = contenders["flowlib"]
        compiled = ours._replace(log_prob=torch.compile(ours.log_prob, fullgraph=True))
        times = watch(scoring({"flowlib": compiled}, x) | {"bare nets": bare_score})
        ratio = times["flowlib"] / times["bare nets"]
        row = f"{what}: log_prob through torch.compile"
        yield Row(row, times, ratio, "flowlib / its bare nets, eager", at_least=False)


def real_nvp_large(watch: Stopwatch) -> Iterator[Row]:
    contenders = ready(peers.real_nvp(64, 5, (256, 256)))
    x = torch.randn(512, 64)
    what = "RealNVP, D=64, 5 layers, 256×256, batch 512"
    yield against_peers(f"{what}: training step", watch(training(contenders, x)), 1.0, sizes(contenders))
    yield against_peers(f"{what}: log_prob", watch(scoring(contenders, x)), 1.0)
    yield against_peers(f"{what}: sampling", watch(sampling(contenders, 512)), 1.0)


def glow(watch: Stopwatch) -> Iterator[Row]:
    """On one thread: more of them spend their time on these small images waiting for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    contenders = ready(peers.glow((3, 16, 16), 2, 8, (64, 64)))
    x = torch.rand(32, 3, 16, 16)
    for contender in contenders.values():
        contender.log_prob(x)  # the first batch sets the ActNorms
    bare_score, bare_step = bare_nets(contenders["flowlib"].model, x)
    what = "Glow, 3×16×16, 2 levels of 8 steps, 64×64, batch 32, one thread"
    for name, works, bare, bar in (
        ("training step", training(contenders, x), bare_step, 1.1),
        ("log_prob", scoring(contenders, x), bare_score, 1.15),
        ("sampling", sampling(contenders, 32), bare_score, 1.3),
    ):
        times = watch(works | {"bare nets": bare})
        yield against_peers(f"{what}: {name}", times, bar, sizes(contenders))
        ratio = times["flowlib"] / times["bare nets"]
        yield Row(f"{what}: {name}", times, ratio, "flowlib / its bare nets", at_least=False)
    torch.set_num_threads(threads)


def nsf_training(watch: Stopwatch) -> Iterator[Row]:
    for dim in (16, 64):
        contenders = ready(peers.nsf(dim, 4, (128, 128)))
        x = torch.randn(512, dim)
        what = f"NSF coupling, D={dim}, 4 layers, 128×128, 8 bins, batch 512: training step"
        yield against_peers(what, watch(training(contenders, x)), 1.5, sizes(contenders))


def cnf_training(watch: Stopwatch) -> Iterator[Row]:
    """zuko's adaptive solver decides how often to evaluate; flowlib's rk4 grid is given no fewer."""
    x = torch.randn(256, 2)
    theirs = zuko.flows.CNF(2, hidden_features=(64, 64))
    shake(theirs)
    calls = evaluations(theirs, x)
    ours = CNF(2, (64, 64), method="rk4", steps=math.ceil(calls / 4))
    shake(ours)
    contenders = {"flowlib": peers.from_module(ours), "zuko": peers.from_zuko(theirs)}
    note = (
        f"evaluations of the field: zuko {calls}, flowlib {4 * math.ceil(calls / 4)}; "
        f"exact trace; {sizes(contenders)}"
    )
    what = "CNF, D=2, 64×64, batch 256: training step"
    yield against_peers(what, watch(training(contenders, x)), 1.5, note)


def residual(watch: Stopwatch) -> Iterator[Row]:
    """All on one thread. Weights are at their bound; sampling searches for each point, and scores it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for dim, exact in ((2, True), (8, False)):
        x = torch.randn(256, dim)
        trained = at_their_bound(peers.residual(dim, 16, (64, 64), 0.97, 2, exact), x)
        kind = "exact determinant" if exact else "roulette after 2 terms"
        what = f"Residual flow, D={dim}, 16 layers, 64×64, batch 256, one thread, {kind}"
        yield against_peers(f"{what}: training step", watch(training(trained, x)), 1.0, sizes(trained))
        # For what is drawn normflows takes 20 terms before the roulette.
        drawn = at_their_bound(peers.residual(dim, 16, (64, 64), 0.97, 20, exact), x)
        for contender in drawn.values():
            contender.model.eval()
        what = what.replace("2 terms", "20 terms")
        yield against_peers(f"{what}: sampling", watch(sampling(drawn, 256)), 1.0, sizes(drawn))
    torch.set_num_threads(threads)


def at_their_bound(contenders: dict[str, Contender], x: Tensor) -> dict[str, Contender]:
    """Orthogonal weights, so large that all are scaled down; the estimates of their norms have followed."""
    for contender in ready(contenders).values():
        for parameter in contender.model.parameters():
            if parameter.dim() > 1:
                nn.init.orthogonal_(parameter, gain=5.0)
        with torch.no_grad():
            for _ in range(20):
                contender.log_prob(x)
    return contenders


def maf_growth(watch: Stopwatch) -> Iterator[Row]:
    for dim, width in ((8, 256), (64, 256), (512, 512)):
        flow = MAF(dim, 5, (width, width))
        shake(flow)
        ours = {"flowlib": peers.from_module(flow)}
        times = watch(
            {
                "flowlib": sampling(ours, 512)["flowlib"],
                "log_prob": scoring(ours, torch.randn(512, dim))["flowlib"],
            }
        )
        ratio = times["flowlib"] / times["log_prob"]
        what = f"MAF, D={dim}, 5 layers, {width}×{width}, batch 512"
        yield Row(what, times, ratio, "sampling / log_prob", section="growth")


def cnf_memory(watch: Stopwatch) -> Iterator[Row]:
    """Bytes that autograd keeps for the backward pass of one training step."""
    x = torch.randn(256, 2)
    for steps in (10, 20, 40):
        flow = CNF(2, (64, 64), method="rk4", steps=steps)
        shake(flow)
        kept = {}
        for adjoint in (False, True):
            flow.bijection.adjoint = adjoint
            kept["adjoint" if adjoint else "direct"] = kept_bytes(lambda flow=flow: -flow.log_prob(x).mean())
        row = Row(
            f"CNF, D=2, 64×64, rk4, {steps} steps, batch 256: memory kept for backward",
            {},
            kept["direct"] / kept["adjoint"],
            "direct / adjoint",
            note=", ".join(f"{name} {size / 2**20:.2f} MiB" for name, size in kept.items()),
            section="growth",
        )
        yield row


def kept_bytes(loss: Callable[[], Tensor]) -> int:
    """Bytes of distinct storage that autograd saves while computing `loss`."""
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    alive = []  # holds the graph, so that no storage is freed and its address used again
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        alive.append(loss())
    return sum(storages.values())


ROWS: dict[str, Callable[[Stopwatch], Iterator[Row]]] = {
    "maf": maf_sampling,
    "maf-wide": maf_wide,
    "realnvp": real_nvp_small,
    "realnvp-large": real_nvp_large,
    "glow": glow,
    "nsf": nsf_training,
    "cnf": cnf_training,
    "residual": residual,
    "growth": maf_growth,
    "memory": cnf_memory,
}
