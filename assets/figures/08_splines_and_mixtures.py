"""Draw the animation of lesson 8 again: python assets/figures/08_splines_and_mixtures.py  (under a minute)

A spline of eight pieces learns the skyline: its knots slide, and the density that it makes of a uniform z
follows.
"""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from flowlib import plots, targets
from flowlib.scalar import Elementwise
from flowlib.splines import SplineTransformer

HERE = Path(__file__)
BOUND, FRAMES, STEPS = 4.0, 40, 900  # of training

torch.manual_seed(0)
points = targets.skyline(8000, seed=0)[:, None]
rule = SplineTransformer(8, bound=BOUND)
layer = Elementwise(rule, (1,))
optimizer = torch.optim.Adam(layer.parameters(), lr=2e-2)
grid = torch.linspace(-BOUND, BOUND, 1600)[:, None]
# Frames stand close together at the start, where most happens.
wanted = {round(STEPS * (k / (FRAMES - 1)) ** 2) for k in range(FRAMES)}

plots.use_style(1.3)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8), dpi=80)
frames = []


def draw(step):
    with torch.no_grad():
        z, log_slope = layer.inverse(grid)
        knots = BOUND * rule.table(layer.params[None])[0, :2, :, 0]
        missing = -layer.inverse(points)[1].mean() + math.log(2 * BOUND) - targets.SKYLINE_ENTROPY
    for ax in (left, right):
        ax.clear()
    left.plot(grid, z, color=plots.MAP_COLOR)
    left.plot(*knots, "o", color=plots.Z_COLOR, ms=6)
    left.set(xlabel="$x$", ylabel="$z$", title="eight pieces", xlim=(-4.2, 4.2), ylim=(-4.2, 4.2))
    right.plot(grid, targets.skyline_log_prob(grid[:, 0]).exp(), color=plots.REFERENCE_COLOR, ls="--", lw=1.2)
    right.plot(grid, log_slope.exp() / (2 * BOUND), color=plots.X_COLOR)
    right.set(xlabel="$x$", ylabel="$p(x)$", xlim=(-4.2, 4.2), ylim=(0, 0.5))
    right.set_title(f"step {step}: {missing:.2f} nats missing")
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])


for step in range(STEPS + 1):
    if step in wanted:
        frames.append(draw(step))
    loss = -layer.inverse(points[torch.randint(len(points), (1024,))])[1].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

palette = frames[-1].quantize(48)
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
times = [900, *[110] * (len(frames) - 2), 3000]  # milliseconds
path = HERE.with_suffix(".gif")
frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(frames)} pictures")
