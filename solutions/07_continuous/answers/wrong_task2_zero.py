"""
task: task2
caught_by: task2_test_a
says: "it is zero"
why: "a constant"
"""


def exact_trace(t, z, weights):
    """tr dv/dz at each point, (batch,)."""
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return torch.zeros_like(z[:, 0])


def hutchinson(t, z, weights, noise):
    """The mean of e^T (dv/dz) e over the probes e = noise[0], noise[1], ..., (batch,)."""
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
