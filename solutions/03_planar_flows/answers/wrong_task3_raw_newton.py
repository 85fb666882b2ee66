"""
task: task3
caught_by: task3_test_b
says: it does not converge where w.u > 1
why: Newton without a bracket jumps to and fro for w.u = 8
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y
    for _ in range(200):
        a = a - (a + t * torch.tanh(a) - y) / (1 + t * (1 - torch.tanh(a) ** 2))
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
