"""Draw the animation of lesson 9 again: python assets/figures/09_residual_flows.py  (under a minute)

Rounds of z <- x - g(z) straighten a lattice that the layer x = z + g(z) has bent, and stay below their bound.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from flowlib import plots
from flowlib.pictures.residual_flows import lattice, twist

HERE = Path(__file__)
LIPSCHITZ, ROUNDS = 0.8, 26

lines = lattice(3.0, 13)
bent = [line + twist(line, LIPSCHITZ) for line in lines]
stages = [bent]
for _ in range(ROUNDS):
    stages.append([x - twist(z, LIPSCHITZ) for x, z in zip(bent, stages[-1], strict=True)])


def apart(some, others):
    return max((a - b).norm(dim=1).max().item() for a, b in zip(some, others, strict=True))


errors, first = [apart(stage, lines) for stage in stages], apart(stages[1], bent)
bounds = [LIPSCHITZ**n / (1 - LIPSCHITZ) * first for n in range(ROUNDS + 1)]  # (9.4)
assert all(error <= bound for error, bound in zip(errors, bounds, strict=True))

plots.use_style(1.3)
figure, axes = plt.subplots(1, 3, figsize=(10.4, 3.7), dpi=80, layout="constrained")


def draw(n):
    for ax in axes:
        ax.clear()
    for line in bent:
        axes[0].plot(*line.T, color=plots.X_COLOR, lw=0.9)
    for straight, found in zip(lines, stages[n], strict=True):
        axes[1].plot(*straight.T, color="#cccccc", lw=0.9)
        axes[1].plot(*found.T, color=plots.Z_COLOR, lw=0.9)
    axes[0].set(xlabel="$x_1$", ylabel="$x_2$", title="$x = z + g(z)$")
    axes[1].set(xlabel="$z_1$", ylabel="$z_2$", title=f"round {n} of $z \\leftarrow x - g(z)$")
    for ax in axes[:2]:
        ax.set(xlim=(-4.2, 4.2), ylim=(-4.2, 4.2), xticks=(-3, 0, 3), yticks=(-3, 0, 3), aspect="equal")
    axes[2].plot(range(ROUNDS + 1), bounds, "--", color=plots.REFERENCE_COLOR, lw=1.2)
    axes[2].plot(range(n + 1), errors[: n + 1], "o-", color=plots.Z_COLOR, ms=3.5)
    axes[2].text(14, bounds[10], "bound (9.4)", fontsize="small")
    axes[2].set(xlabel="rounds", yscale="log", title="largest error")
    axes[2].set(xlim=(-0.5, ROUNDS + 0.5), ylim=(errors[-1] / 3, 3 * bounds[0]))
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])


frames = [draw(n) for n in range(ROUNDS + 1)]
palette = frames[0].quantize(48)
frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
times = [1500, *[450] * 6, *[160] * (ROUNDS - 7), 3000]  # milliseconds
path = HERE.with_suffix(".gif")
frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(frames)} pictures")
