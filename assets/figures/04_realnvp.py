"""Draw the animation of lesson 4 again: python assets/figures/04_realnvp.py  (under a minute)

Noise becomes a checkerboard, one coupling layer after the other. The weights are those of
assets/weights/04_realnvp.py.
"""

from pathlib import Path

from flowlib import assets, plots
from flowlib.models import RealNVP

HERE = Path(__file__)
flow = assets.load_weights(RealNVP(2), "04_realnvp", "checkerboard")
plots.use_style(1.3)
path = plots.animate_trace(flow, HERE.with_suffix(".gif"), n=750, size=4.2, bounds=5.0)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
