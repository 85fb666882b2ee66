"""
task: task1
caught_by: task1_test_a
says: "absolute value is missing"
why: a negative determinant gives nan
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).log()
