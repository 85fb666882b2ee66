"""
task: task3
caught_by: task3_test_b
says: does the bracket hold the root there, too
why: takes w.u to be positive
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = y - t, y + t
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    h = torch.tanh((low + high) / 2)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
