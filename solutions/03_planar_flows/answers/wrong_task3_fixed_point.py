"""
task: task3
caught_by: task3_test_b
says: it does not converge where w.u > 1
why: a <- y - w.u tanh(a) converges only for |w.u| < 1
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y
    for _ in range(2000):
        a = y - t * torch.tanh(a)
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).abs().log()
