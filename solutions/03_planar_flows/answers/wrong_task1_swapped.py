"""
task: task1
caught_by: task1_test_a
says: "changed places"
why: u and w have changed roles
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ u + b)
    return z + w * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()
