"""What the live figures of lesson 7 draw from: a drift that was computed before, and two velocity fields."""

from __future__ import annotations

import torch

from flowlib import assets
from flowlib import data as sets
from flowlib.course.pages.live.export import layer_spec
from flowlib.course.pages.live.figures import numbers
from flowlib.models import CNF
from flowlib.pictures import continuous as pictures

EVERY = 2  # of 33 times; a page draws those between on straight lines


def trained(name: str, flow: CNF) -> CNF:
    assets.load_weights(flow, "07_continuous", name)
    return flow.requires_grad_(False)


@torch.no_grad()
def data() -> dict:
    rings = trained("rings", CNF(2, (96, 96), steps=1))
    drift = pictures.Drift(rings, 800)
    side = torch.linspace(-3.4, 3.4, 12)
    nodes = torch.cartesian_prod(side, side)
    fields = {name: trained(name, CNF(2)) for name in ("free", "straight")}
    x = sets.shared_target().test[:1000]
    return {
        "drift": [
            {
                "points": numbers(drift.places[k], 2),
                "logP": numbers(drift.log_p[k], 1),
                "arrows": numbers(drift.net(float(drift.times[k]), nodes), 2),
            }
            for k in range(0, len(drift.times), EVERY)
        ],
        "nodes": numbers(nodes, 3),
        "fields": {name: layer_spec(flow.bijection, 2) for name, flow in fields.items()},
        "x": numbers(x[:32], 4),
        "exact": -sets.shared_target_log_prob(x).mean().item(),
        "reports": {
            f"{row['field']} {row['method']} {row['steps']}": row
            for row in assets.read_results("07_continuous_live", "solvers")
        },
    }
