"""Draw the animation of lesson 7 again: python assets/figures/07_continuous.py  (under a minute)

Noise becomes three rings, carried by a velocity field. The weights are those of
assets/weights/07_continuous.py.
"""

from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn
import torch
from matplotlib.animation import FuncAnimation, PillowWriter

from flowlib import assets, plots
from flowlib.models import CNF

HERE = Path(__file__)
FRAMES, HOLD, BOUND = 44, 8, 3.9

flow = assets.load_weights(CNF(2, (96, 96), steps=1), "07_continuous", "rings").requires_grad_(False)

times = np.linspace(0, 1, FRAMES + 1)
z = torch.randn(700, 2, generator=torch.Generator().manual_seed(0))
places = [z]
for before, after in pairwise(times):
    places.append(flow.bijection.integrate(places[-1], None, before, after)[0])
side = torch.linspace(-3.5, 3.5, 13)
nodes = torch.cartesian_prod(side, side)
arrows = [flow.bijection.net(float(t), nodes) for t in times]
# Long arrows would cover their neighbours: the length grows with the root of the speed.
arrows = [v / v.norm(dim=1, keepdim=True).clamp_min(1e-6).sqrt() for v in arrows]

plots.use_style(1.2)
figure, ax = plt.subplots(figsize=(4.2, 4.5), dpi=80, layout="none")
figure.subplots_adjust(0.02, 0.02, 0.98, 0.92)
ax.set(xlim=(-BOUND, BOUND), ylim=(-BOUND, BOUND), aspect="equal", xticks=[], yticks=[])
ax.spines[:].set_visible(False)
field = ax.quiver(*nodes.T, *arrows[0].T, color="#BBBBBB", scale=28, width=0.005)
turn = torch.atan2(z[:, 1], z[:, 0]) / (2 * np.pi) % 1
dots = ax.scatter(*z.T, c=turn, cmap=seaborn.color_palette("husl", as_cmap=True), s=7, lw=0)
title = figure.text(0.5, 0.955, "", ha="center", va="center")


def draw(frame):
    dots.set_offsets(places[frame])
    field.set_UVC(*arrows[frame].T)
    name = "z  " if frame == 0 else "x  " if frame == FRAMES else ""
    title.set_text(f"{name}t = {times[frame]:.2f}")
    return dots, field, title


script = [0] * HOLD + list(range(FRAMES + 1)) + [FRAMES] * 2 * HOLD
path = HERE.with_suffix(".gif")
FuncAnimation(figure, draw, frames=script, blit=False).save(path, PillowWriter(fps=16), dpi=80)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
