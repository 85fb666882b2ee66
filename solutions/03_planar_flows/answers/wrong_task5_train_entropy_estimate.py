"""
task: task5
caught_by: task5_test_a
says: do not estimate it from draws
why: estimates the entropy from draws
"""


def sine_entropy(noise, width):
    g = torch.Generator().manual_seed(0)
    x2 = width * (2 * torch.rand(200_000, generator=g, dtype=torch.float64) - 1)
    e = noise * torch.randn(200_000, generator=g, dtype=torch.float64)
    logp = -math.log(2 * width) - 0.5 * (e / noise) ** 2 - 0.5 * math.log(2 * math.pi * noise**2)
    return -logp.mean().item()


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    flow = PlanarFlow(2, layers=6, cheap="density")
    training.fit(flow, train, steps=300, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)
