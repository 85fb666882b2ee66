"""
task: task2
caught_by: task2_test_b
says: "turned into signs"
why: "the signs of the noise that is given"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return slope @ (W * U.T).sum(1)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    noise = noise.sign()
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
