"""
task: task3
caught_by: task3_test_a
says: one root serves the whole batch
why: finds one root, for the mean of the batch
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, (x @ w + b).mean()
    low, high = y - t.abs(), y + t.abs()
    for _ in range(70):
        a = (low + high) / 2
        if a + t * torch.tanh(a) < y:
            low = a
        else:
            high = a
    h = torch.tanh(a).expand(len(x))
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
