"""
task: task3
caught_by: task3_test_b
says: a bracket that does not move with y
why: searches between -5 and 5 whatever y is
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = torch.full_like(y, -5.0), torch.full_like(y, 5.0)
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    h = torch.tanh((low + high) / 2)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
