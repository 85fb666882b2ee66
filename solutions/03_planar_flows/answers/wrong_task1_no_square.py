"""
task: task1
caught_by: task1_test_a
says: "with the square"
why: derivative of tanh without the square
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h) * (w @ u)).abs().log()
