"""
task: task2
caught_by: task2_test_a
says: "a difference quotient is not"
why: "central differences"
"""


def exact_trace(t, z, weights):
    weights = tuple(part.double() for part in weights)
    place, total = z.double(), 0
    for i in range(z.shape[1]):
        step = torch.zeros_like(place)
        step[:, i] = 1e-5
        total = total + (velocity(t, place + step, weights) - velocity(t, place - step, weights))[:, i] / 2e-5
    return total.to(z.dtype)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
