"""Draw the animation of lesson 3 again: python assets/figures/03_sine.py  (under a minute)

A round cloud becomes the noisy sine, one planar layer after the other. The weights are those of
assets/weights/03_planar_flows.py.
"""

from pathlib import Path

from flowlib import assets, plots
from flowlib.models import PlanarFlow

flow = assets.load_weights(PlanarFlow(2, layers=32, cheap="density"), "03_planar_flows", "noisy_sine")
plots.use_style(1.3)
path = Path(__file__).with_suffix(".gif")
plots.animate_trace(flow, path, n=600, size=4.0, frames_per_step=3, fps=20, bounds=(-4, 4, -4, 4))
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
