"""
task: task2
caught_by: task2_test_b
says: "no correction is asked"
why: "divided by the mean of e^2"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return slope @ (W * U.T).sum(1)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0) / (noise**2).mean((0, 2))
