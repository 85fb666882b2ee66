"""Draw the animation of lesson 2 again: python assets/figures/02_bend.py  (under a minute)

A round cloud becomes a banana by one matrix and six bends, each of two leaky ReLUs between matrices.
"""

from pathlib import Path

import torch

from flowlib import plots
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.scalar import LeakyReLU

SLOPE, FAR = 0.5, 30.0


class Bend(Chain):
    """Shear the points beyond `kink`, above it (side 1) or below -kink (side -1)."""

    def __init__(self, kink, side):
        t = 1 / (1 - SLOPE)
        slant = [[1.0, t * side], [0.0, -side]], [FAR, kink]
        shear = [[1.0, t], [0.0, 1.0]], [-t * kink, 0.0]
        back = [[1.0, 0.0], [0.0, -side]], [-FAR, side * kink]
        slant, shear, back = (
            Linear.from_matrix(*map(torch.tensor, matrix)) for matrix in (slant, shear, back)
        )
        super().__init__(slant, LeakyReLU(SLOPE), shear, LeakyReLU(1 / SLOPE), back)

    def steps(self):
        yield "bend", self  # one stop for its five layers


bends = [Bend(kink, side) for kink in (1.0, 3.0, 5.0) for side in (1.0, -1.0)]
first = Linear.from_matrix(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.1, 0.0]))
flow = Flow(Chain(first, *bends), StandardNormal((2,)))
plots.use_style(1.3)
path = Path(__file__).with_suffix(".gif")
titles = ["the matrix", *(f"bend {number}" for number in range(1, 7))]
window = {"size": 4.2, "dpi": 80, "bounds": (-4.5, 9, -6.8, 6.8)}
plots.animate_trace(flow, path, n=900, titles=titles, frames_per_step=8, **window)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
