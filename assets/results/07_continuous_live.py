"""Compute again what the live figures of lesson 7 show and a page would take seconds for:
python assets/results/07_continuous_live.py  (half a minute)

Writes 07_continuous_live.json beside this file.
"""

import sys
from pathlib import Path

import torch

from flowlib import assets, data
from flowlib.models import CNF
from flowlib.pictures.continuous import solver_reports


def solvers():
    """The NLL that a solver reports for a field on 1,000 held-out points, and the mass of its "density"."""
    flows = {
        name: assets.load_weights(CNF(2), "07_continuous", name).requires_grad_(False)
        for name in ("free", "straight")
    }
    reports = solver_reports(
        {name: flow.bijection.net for name, flow in flows.items()}, data.shared_target().test[:1000]
    )
    for (field, method, steps), (nll, mass, _) in reports.items():
        yield {"field": field, "method": method, "steps": steps, "nll": round(nll, 4), "mass": round(mass, 4)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    assets.measure(Path(__file__).stem, {"solvers": solvers}, sys.argv[1:])
