"""
task: task5
why: stacks the layers by hand and writes its own loop
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.planar import Planar


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(2)
    flow = Flow(Chain(*[Inverse(Planar(2)) for _ in range(8)]), StandardNormal((2,)))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.03)
    for step in range(400):
        optimizer.zero_grad()
        loss = flow.log_prob(train[torch.randint(len(train), (512,))]).mean().neg()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * (1 - step / 400)
    return flow.log_prob(queries).detach()
