"""
task: task2
caught_by: task2_test_a
says: "needs the trace"
why: "log|det J| of the velocity"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return torch.linalg.slogdet((U * slope[:, None]) @ W)[1]


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
