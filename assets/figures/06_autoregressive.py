"""Draw the animation of lesson 6 again: python assets/figures/06_autoregressive.py  (under a minute)

A masked net while eight variables are sampled: all of it at every step, or each unit once.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from PIL import Image

from flowlib import plots
from flowlib.pictures import autoregressive as pictures

HERE = Path(__file__)
columns, heights, edges, steps = pictures.wires()  # steps: when a connection's unit can be computed

plots.use_style(1.3)
figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.2), dpi=80)
drawings = []
for ax, title in zip(axes, ("the whole net at every step", "each unit once"), strict=True):
    lines = ax.add_collection(LineCollection(edges, linewidths=0.8))
    nodes = [ax.scatter(np.full(len(y), x), y, s=60, zorder=3, lw=0) for x, y in enumerate(heights)]
    words = ax.text(1.5, -0.1, "", ha="center", va="top", fontsize=15)
    ax.set(title=title, xlim=(-0.35, 3.35), ylim=(-0.22, 1.08))
    ax.set_axis_off()
    for x, word in ((0, "x"), (3, "μ, α")):
        ax.text(x, 1.06, word, ha="center", va="bottom")
    drawings.append((lines, nodes, words))


def draw(step, lit):
    """Step `step`, counted from 1: its connections lit, or done."""
    for once, (lines, nodes, words) in enumerate(drawings):
        busy = (steps == step) if once else np.full(len(edges), True)
        done = (steps < step + (not lit)) if once else np.full(len(edges), False)
        colors = np.where(done, "#777777", "#DDDDDD").astype(object)
        if lit:
            colors[busy] = plots.X_COLOR
        lines.set(colors=list(colors), linewidths=np.where(busy & lit, 1.5, 0.8))
        for layer, (dots, column) in enumerate(zip(nodes, columns, strict=True)):
            known = column <= step - (layer == 3)
            shade = plots.X_COLOR if layer == 0 else "#444444"
            dots.set_facecolor([shade if unit else "#CCCCCC" for unit in known])
        count = (steps <= step).sum() if once else step * len(edges)
        words.set_text(f"step {step} of {pictures.DIM}:  {count:,} connections used")
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])


frames = [draw(step, lit) for step in range(1, pictures.DIM + 1) for lit in (True, False)]
# One palette for all, taken from a picture that has every colour.
palette = frames[-2].quantize(32)
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
times = [700, 350] * (pictures.DIM - 1) + [700, 3000]  # milliseconds
path = HERE.with_suffix(".gif")
frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(edges)} connections")
