"""
task: task2
caught_by: task2_test_a
says: "no gradient reaches"
why: "right numbers with which nothing can be trained"
"""


@torch.no_grad()
def exact_trace(t, z, weights):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return slope @ (W * U.T).sum(1)


@torch.no_grad()
def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
