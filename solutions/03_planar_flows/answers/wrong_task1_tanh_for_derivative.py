"""
task: task1
caught_by: task1_test_a
says: "derivative 1 - tanh^2"
why: uses h where h' belongs
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + h * (w @ u)).abs().log()
