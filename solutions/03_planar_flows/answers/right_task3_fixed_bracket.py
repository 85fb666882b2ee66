"""
task: task3
why: "searches between -20 and 20 whatever y is: beyond, tanh is 1 to the last digit"
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = torch.full_like(y, -20.0), torch.full_like(y, 20.0)
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    h = torch.tanh((low + high) / 2)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
