"""
task: task1
caught_by: task1_test_a
says: "logarithm is missing"
why: returns the determinant itself
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs()
