"""
task: task5
why: composes the layers and writes the training loop
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.planar import Planar


def sine_entropy(noise, width):
    uniform = math.log(width) + math.log(2)
    normal = 0.5 + 0.5 * math.log(2 * math.pi) + math.log(noise)
    return uniform + normal


def fitted_log_prob(train, queries):
    torch.manual_seed(3)
    flow = Flow(Chain(*(Inverse(Planar(2)) for _ in range(6))), StandardNormal((2,)))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        loss = -flow.log_prob(train[torch.randint(len(train), (256,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return flow.log_prob(queries).detach()
