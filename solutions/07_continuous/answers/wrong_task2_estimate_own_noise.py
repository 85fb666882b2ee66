"""
task: task2
caught_by: task2_test_b
says: "noise of your own is drawn"
why: "draws its own noise"
"""


def exact_trace(t, z, weights):
    """tr dv/dz at each point, (batch,)."""
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return slope @ (W * U.T).sum(1)


def hutchinson(t, z, weights, noise):
    """The mean of e^T (dv/dz) e over the probes e = noise[0], noise[1], ..., (batch,)."""
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    noise = torch.randn_like(noise)
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
