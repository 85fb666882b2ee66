"""
task: task3
caught_by: task3_test_a
says: "slope is taken at x"
why: right z, but the slope at w.x + b
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = y - t.abs(), y + t.abs()
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    h = torch.tanh((low + high) / 2)
    slope = 1 + (1 - torch.tanh(y) ** 2) * t
    return x - u * h[:, None], -slope.log()
