"""
task: task3
why: "writes a find_root of its own: what is not allowed is flowlib's"
"""


def find_root(t, y):
    low, high = y - t.abs(), y + t.abs()
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    return (low + high) / 2


def planar_inverse(x, w, u, b):
    t = w @ u
    h = torch.tanh(find_root(t, x @ w + b))
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
