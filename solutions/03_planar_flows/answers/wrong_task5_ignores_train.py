"""
task: task5
caught_by: task5_test_b
says: "fitted to `train`"
why: fits the flow to a sine of its own making and ignores the data
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    x2 = 6 * torch.rand(5000) - 3
    curve = x2 - x2**3 / 6 + x2**5 / 120 - x2**7 / 5040 + x2**9 / 362880 - x2**11 / 39916800
    flow = PlanarFlow(2, layers=6, cheap="density")
    own = torch.stack([curve + 0.1 * torch.randn(5000), x2], 1)
    training.fit(flow, own, steps=300, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)
