"""
task: task3
why: a damped fixed point with very many steps
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y / (1 + t.clamp(min=0))
    for _ in range(6000):
        h = torch.tanh(a)
        a = a - (a + t * h - y) / (1 + t.clamp(min=0))
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
