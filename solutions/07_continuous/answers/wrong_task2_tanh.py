"""
task: task2
caught_by: task2_test_a
says: "derivative belongs"
why: "tanh for its derivative"
"""


def exact_trace(t, z, weights):
    """tr dv/dz at each point, (batch,)."""
    W, b, c, U = weights
    slope = torch.tanh(z @ W.T + b + t * c)
    return slope @ (W * U.T).sum(1)


def hutchinson(t, z, weights, noise):
    """The mean of e^T (dv/dz) e over the probes e = noise[0], noise[1], ..., (batch,)."""
    W, b, c, U = weights
    slope = torch.tanh(z @ W.T + b + t * c)
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
