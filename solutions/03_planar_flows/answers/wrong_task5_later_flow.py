"""
task: task5
caught_by: task5_test_b
says: uses RealNVP
why: a flow of the next lesson beside a planar one that does nothing
"""

from flowlib import RealNVP


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    PlanarFlow(2, layers=1)
    torch.manual_seed(0)
    flow = RealNVP(dim=2, layers=6, hidden=(32, 32))
    training.fit(flow, train, steps=400, lr=0.01, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)
