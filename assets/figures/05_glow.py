"""Draw the animation of lesson 5 again: python assets/figures/05_glow.py  (under a minute)

Noise becomes digits of the class asked for, one column for each class, one layer of Glow after the
other. The weights are those of assets/weights/05_glow.py.
"""

from pathlib import Path

import torch
from PIL import Image

from flowlib import assets
from flowlib.bijection import Chain
from flowlib.flow import Flow
from flowlib.image import Squeeze, logit_pixels
from flowlib.models import Glow

HERE = Path(__file__)
EACH, BETWEEN = 5, 4  # samples of each class; frames from one layer to the next

glow = Glow((1, 8, 8), levels=2, steps=4, hidden=(32, 32), context=10)
flow = Flow(Chain(glow.bijection, logit_pixels(0.05)), glow.base)
assets.load_weights(flow, "05_glow", "classes")

classes = torch.arange(10).repeat_interleave(EACH)
z = 0.8 * torch.randn(len(classes), 1, 8, 8, generator=torch.Generator().manual_seed(1))
stops = []
for name, value, _ in glow.trace(z, torch.nn.functional.one_hot(classes, 10).float()):
    if "Squeeze" not in name:  # squeezing moves numbers to other places in memory, not in the picture
        value = value if value.shape[1] == 1 else Squeeze().inverse(value)[0]
        stops.append(logit_pixels(0.05)(value)[0].detach())

steps = torch.linspace(0, len(stops) - 1, BETWEEN * (len(stops) - 1) + 1).tolist()
frames = []
for step in [0.0] * 6 + steps + steps[-1:] * 24:
    before = min(int(step), len(stops) - 2)
    # A layer has no halfway: the straight path is for the eye only.
    digits = torch.lerp(stops[before], stops[before + 1], step - before).clamp(0, 1)
    ink = torch.nn.functional.pad((15 * (1 - digits)).round() / 15, (1, 1, 1, 1), value=1.0)
    sheet = ink.view(10, EACH, 10, 10).permute(1, 2, 0, 3).reshape(10 * EACH, 100)
    page = Image.fromarray((255 * sheet).byte().numpy())
    frames.append(page.resize((6 * page.width, 6 * page.height), Image.Resampling.NEAREST))
path = HERE.with_suffix(".gif")
frames[0].save(path, save_all=True, append_images=frames[1:], duration=90, loop=0)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
