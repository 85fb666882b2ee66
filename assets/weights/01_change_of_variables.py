"""Train the flow of lesson 1, section 6, again and keep its parameters on the way:
python assets/weights/01_change_of_variables.py  (a few seconds)

Writes 01_change_of_variables.safetensors beside this file. The demo walks through the stops.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.distributions import Beta

from flowlib import data
from flowlib.bijection import Inverse
from flowlib.flow import Flow
from flowlib.scalar import MixtureCDF

points = data.two_gaussians(750, seed=0)
flow = Flow(Inverse(MixtureCDF(components=4, spread=3.0)), Beta(2.0, 5.0))
optimizer = torch.optim.AdamW(flow.parameters(), lr=5e-3, weight_decay=1e-5)
stops, losses = [], []
for step in range(601):
    loss = -flow.log_prob(points).mean()
    if step % 20 == 0:
        stops.append(flow.bijection.bijection.params.detach().clone())
        losses.append(loss.detach())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
    optimizer.step()
save_file(
    {"params": torch.stack(stops), "loss": torch.stack(losses)}, Path(__file__).with_suffix(".safetensors")
)
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f} nats")
