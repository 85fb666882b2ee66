"""Draw the animation of lesson 3 again: python assets/figures/03_sine.py  (under a minute)

A round cloud becomes the noisy sine, one planar layer after the other. The weights are those of
assets/weights/03_planar_flows.py.
"""

from pathlib import Path

from safetensors.torch import load_file

from flowlib import plots
from flowlib.flow import PlanarFlow

HERE = Path(__file__)
weights = load_file(HERE.parents[1] / "weights" / "03_planar_flows.safetensors")
prefix = "noisy_sine."
flow = PlanarFlow(2, layers=32, cheap="density")
flow.load_state_dict({key.removeprefix(prefix): w for key, w in weights.items() if key.startswith(prefix)})
plots.use_style(1.3)
path = HERE.with_suffix(".gif")
plots.animate_trace(flow, path, n=600, size=4.0, frames_per_step=3, fps=20, bounds=(-4, 4, -4, 4))
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
