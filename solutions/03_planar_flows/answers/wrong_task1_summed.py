"""
task: task1
caught_by: task1_test_a
says: one number per point
why: sums the log-determinant over the batch
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log().sum()
