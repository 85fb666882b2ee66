"""
task: task3
caught_by: task3_test_a
says: "uses find_root"
why: calls the course's root finder
"""

from flowlib.bijection import find_root


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = find_root(
        lambda a: (a + t * torch.tanh(a), 1 + t * (1 - torch.tanh(a) ** 2)), y, y - t.abs(), y + t.abs()
    )
    return x - u * torch.tanh(a)[:, None], -(1 + t * (1 - torch.tanh(a) ** 2)).log()
