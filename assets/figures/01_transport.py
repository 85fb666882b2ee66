"""Draw 01_transport.png: bands of equal probability on their way from a normal base to two humps.

Run from the repository: .venv/bin/python assets/figures/01_transport.py
"""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import to_rgb

from flowlib import plots
from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.scalar import MixtureCDF

BANDS, LINES, STEPS = 20, 12, 160
SHADES = (0.72, 0.40)


def lighter(color, shade):
    return 1 - (1 - np.asarray(color)) * shade


# x = F^-1(Phi(z)): F is the distribution function of 0.4 N(-2, 0.6²) + 0.6 N(1.5, 1).
target = MixtureCDF(2).double()
with torch.no_grad():
    target.params.copy_(torch.tensor([math.log(0.4), math.log(0.6), -2, 1.5, math.log(0.6), 0]))
flow = Flow(Chain(MixtureCDF(1).double(), Inverse(target)), StandardNormal(()).double())

share = torch.linspace(0, 1, BANDS * LINES + 1, dtype=torch.float64).clamp(2e-3, 1 - 2e-3)
z = torch.special.ndtri(share)
with torch.no_grad():
    x = flow.bijection(z)[0]
    p_z, p_x = flow.base.log_prob(z).exp().numpy(), flow.log_prob(x).exp().numpy()
# The base is drawn larger, so that both ends fill the height; its width on paper shrinks to match.
zoom = 1.35
z, x, p_z = zoom * z.numpy(), x.numpy(), p_z / zoom

plots.use_style()
figure = plt.figure(figsize=(9.0, 3.8), layout="none")
ax = figure.add_axes([0, 0, 1, 1])

time = np.linspace(0, 1, STEPS + 1)
ease = (time**2 * (3 - 2 * time))[:, None]
middle = 0.5 * (time[1:] + time[:-1])[:, None]
blue, orange, grey = (np.array(to_rgb(c)) for c in (plots.Z_COLOR, plots.X_COLOR, (0.62, 0.55, 0.68)))
blend = np.where(
    middle < 0.5,
    (1 - 2 * middle) * blue + 2 * middle * grey,
    (2 - 2 * middle) * grey + (2 * middle - 1) * orange,
)
shade = np.array([SHADES[k // LINES % 2] for k in range(BANDS * LINES)])
ax.pcolormesh(
    np.repeat(time[:, None], len(z), 1),
    (1 - ease) * z + ease * x,
    lighter(blend[:, None, :], shade[None, :, None]),
    rasterized=True,
)
for values, density, foot, sign, color in ((z, p_z, 0, -1, blue), (x, p_x, 1, 1, orange)):
    edge = foot + sign * 1.17 * density
    for k in range(BANDS):
        part = slice(k * LINES, (k + 1) * LINES + 1)
        ax.fill_betweenx(values[part], foot, edge[part], color=lighter(color, SHADES[k % 2]), lw=0)
    ax.plot(edge, values, color=color, lw=2)
    ax.plot([foot, foot], [values[0], values[-1]], color=color, lw=1)

ax.set(xlim=(-0.42, 1.42), ylim=(-4.2, 5.5))
ax.axis("off")
ax.text(-0.39, 4.75, "z · simple", color=plots.Z_COLOR, fontsize=15, va="center")
ax.text(1.39, 4.75, "x · data", color=plots.X_COLOR, fontsize=15, ha="right", va="center")
arrow = {"arrowstyle": "-|>", "color": plots.MAP_COLOR, "lw": 1.3}
ax.annotate("", (0.9, 4.75), (0.1, 4.75), arrowprops=arrow)
ax.text(0.5, 4.85, "x = f(z)", color=plots.MAP_COLOR, fontsize=13, ha="center", va="bottom")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130, facecolor="white")
