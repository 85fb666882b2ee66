"""
task: task1
caught_by: task1_test_b
says: does exp overflow
why: writes tanh with exponentials, which overflow
"""


def planar_forward(z, w, u, b):
    a = z @ w + b
    e = (2 * a).exp()
    h = (e - 1) / (e + 1)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()
