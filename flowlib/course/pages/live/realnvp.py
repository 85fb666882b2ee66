"""What the live figures of lesson 4 draw from: a RealNVP trained on the checkerboard, and its draws."""

from __future__ import annotations

import torch

from flowlib import assets
from flowlib.course.pages.live.export import flow_spec
from flowlib.course.pages.live.figures import numbers
from flowlib.models import RealNVP


def data() -> dict:
    flow = RealNVP(2)
    assets.load_weights(flow, "04_realnvp", "checkerboard")
    draws = torch.randn(1500, 2, generator=torch.Generator().manual_seed(0))
    return {"flow": flow_spec(flow), "draws": numbers(draws)}
