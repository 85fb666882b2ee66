"""What the live figures of lesson 8 draw from: the skyline, and how many of its points fall into each bin."""

from __future__ import annotations

import torch

from flowlib import targets


def data() -> dict:
    points = targets.skyline(8000, seed=0).double()
    counts = [torch.histc(points, pieces, -4.0, 4.0).int().tolist() for pieces in range(1, 61)]
    return {"edges": targets.SKYLINE_EDGES, "shares": targets.SKYLINE_SHARES, "counts": counts}
