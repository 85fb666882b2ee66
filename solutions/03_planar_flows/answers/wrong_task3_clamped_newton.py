"""
task: task3
caught_by: task3_test_b
says: too few steps for so long a way
why: Newton with short steps, too few of them
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y.clone()
    for _ in range(30):
        h = torch.tanh(a)
        a = a - ((a + t * h - y) / (1 + t * (1 - h**2))).clamp(-1, 1)
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
