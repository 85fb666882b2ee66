"""
task: task1
caught_by: task1_test_a
says: "b is missing"
why: forgets b
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()
