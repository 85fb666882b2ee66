"""Draw the picture of README again: python assets/figures/flow.py  (about a minute)

A RealNVP fitted to two moons, stopped after each quarter of its layers.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from flowlib import data, plots
from flowlib.models import RealNVP
from flowlib.training import fit

torch.manual_seed(0)
plots.use_style()
flow = RealNVP(2, layers=12)
fit(flow, data.two_moons(20_000), steps=3000, batch_size=512, lr=2e-3, progress="auto")
axes = plots.trace_panels(flow, n=4000, bounds=3.0, panels=5)
axes[0].figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
plt.close("all")
