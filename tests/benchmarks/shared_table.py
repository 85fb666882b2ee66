"""Fit every family of the course to its shared target and write assets/data/shared_table.csv.

    python tests/benchmarks/shared_table.py

Takes about ten minutes on an idle machine, and only there are the times worth keeping. Every flow is
fitted to the same rows by the same optimiser and judged on the same 10,000 held-out rows; times are
for 1,000 rows on one CPU core.
"""

from __future__ import annotations

import csv
import sys

import torch

from flowlib.assets import asset
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.data import SHARED_TARGET_ENTROPY, shared_target, shared_target_log_prob
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.models import CNF, IAF, MAF, NSF, PlanarFlow, RadialFlow, RealNVP, ResidualFlow
from flowlib.scalar import Affine, LeakyReLU
from flowlib.splines import SplineTransformer
from flowlib.table import evaluate
from flowlib.training import fit

COLUMNS = ("lesson", "model", "nll", "parameters", "forward_ms", "inverse_ms", "round_trip")
BASE = StandardNormal((2,))


def kinked() -> Flow:
    """Twelve rotations with leaky ReLUs between them, as in lesson 2."""
    layers = []
    for _ in range(12):
        rotation = torch.linalg.qr(torch.randn(2, 2)).Q
        layers += [Linear.from_matrix(rotation, torch.randn(2)), LeakyReLU(0.85)]
    return Flow(Chain(*layers, Linear(2)), BASE)


def normals() -> Flow:
    return Flow(Affine(torch.zeros(2), torch.ones(2), trainable=True), BASE)


def wide_splines() -> Flow:
    """The farthest point of the target is 8.1 out: the default bound 5 would not hold it."""
    return MAF(2, 2, transformer=SplineTransformer(bound=10.0))


def mixtures() -> Flow:
    return RealNVP(2, 4, transformer=LogisticMixtureTransformer())


# Lesson, name, how to build it, how to fit it.
ENTRIES = (
    (2, "independent normals", normals, {"steps": 1000, "lr": 0.02}),
    (2, "linear", lambda: Flow(Linear(2), BASE), {"steps": 1000, "lr": 0.02}),
    (2, "linear + leaky ReLU x12", kinked, {"steps": 1000, "lr": 0.01}),
    (3, "radial x32", lambda: RadialFlow(2, 32), {"steps": 4000, "lr": 5e-3}),
    (3, "planar x32", lambda: PlanarFlow(2, 32, cheap="density"), {"steps": 4000, "lr": 5e-3}),
    (4, "RealNVP", lambda: RealNVP(2), {"steps": 4000, "lr": 2e-3}),
    (4, "NSF", lambda: NSF(2), {"steps": 4000, "lr": 2e-3}),
    (6, "MAF", lambda: MAF(2), {"steps": 4000, "lr": 2e-3}),
    (6, "IAF", lambda: IAF(2), {"steps": 4000, "lr": 2e-3}),
    (7, "CNF", lambda: CNF(2), {"steps": 3000, "lr": 5e-3}),
    (8, "NSF autoregressive", wide_splines, {"steps": 4000, "lr": 2e-3}),
    (8, "mixture coupling", mixtures, {"steps": 4000, "lr": 2e-3}),
    (9, "residual flow", lambda: ResidualFlow(2, 16, (32, 32), lipschitz=0.97), {"steps": 3000, "lr": 5e-3}),
)


def main() -> int:
    torch.set_num_threads(1)
    split = shared_target()
    exact = -shared_target_log_prob(split.test).mean().item()
    print(f"entropy {SHARED_TARGET_ENTROPY:.4f}; the exact density scores {exact:.4f} on the held-out rows")
    fitted = []
    for lesson, name, build, settings in ENTRIES:
        torch.manual_seed(0)
        flow = build()
        history = fit(flow, split.train, split.valid, **settings)
        fitted.append((lesson, name, flow))
        print(f"{name:24s} {history.seconds:6.1f} s  {history}", flush=True)
    # All times in one go at the end, so that they are taken under the same conditions.
    rows = [{"lesson": lesson, **evaluate(flow, split.test, name)} for lesson, name, flow in fitted]
    path = asset("data") / "shared_table.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            figures = {key: f"{row[key]:.3g}" for key in ("forward_ms", "inverse_ms", "round_trip")}
            writer.writerow({**row, **figures, "nll": f"{row['nll']:.4f}"})
            print(f"{row['model']:24s} missing {row['nll'] - exact:7.4f} nats")
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
