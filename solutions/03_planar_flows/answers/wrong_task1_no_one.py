"""
task: task1
caught_by: task1_test_a
says: "the 1 of 1 + u.psi is missing"
why: takes u.psi for the determinant
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], ((1 - h**2) * (w @ u)).abs().log()
