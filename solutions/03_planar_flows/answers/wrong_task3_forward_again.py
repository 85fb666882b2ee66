"""
task: task3
caught_by: task3_test_a
says: "forward map is applied again"
why: adds instead of taking off
"""


def planar_inverse(x, w, u, b):
    h = torch.tanh(x @ w + b)
    return x + u * h[:, None], -(1 + (1 - h**2) * (w @ u)).log()
