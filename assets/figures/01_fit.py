"""Draw the animation of lesson 1 again: python assets/figures/01_fit.py  (half a minute)

A normal learns the log prices of Ames, and the houses carried to z take the shape of the base.
"""

from pathlib import Path

import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from torch.distributions import Normal

from flowlib import data, plots
from flowlib.pictures import change_of_variables as pictures

x = (
    data.dequantize(data.ames_prices(torch.float64), step=100.0, seed=0)[data.split_rows(2930)[0]]
    .log()
    .float()
)
mu, log_sigma = torch.tensor(11.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
optimizer, stops = torch.optim.Adam([mu, log_sigma], lr=0.02), []
for _ in range(201):
    stops.append((mu.item(), log_sigma.exp().item()))
    loss = -(Normal(0.0, 1.0).log_prob((x - mu) / log_sigma.exp()) - log_sigma).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

plots.use_style()
axes = plots.new_axes(1, 2, size=(6.6, 2.5))


def draw(step):
    for ax in axes:
        ax.clear()
    pictures.draw_step(axes, x, stops, step)
    return axes


frames = [0] * 6 + list(range(2, 100, 3)) + list(range(100, 200, 10)) + [200] * 12
path = Path(__file__).with_suffix(".gif")
FuncAnimation(axes[0].figure, draw, frames=frames, blit=False).save(path, PillowWriter(fps=10), dpi=85)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
