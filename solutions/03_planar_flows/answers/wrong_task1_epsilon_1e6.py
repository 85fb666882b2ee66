"""
task: task1
caught_by: task1_test_b
says: something small is added
why: adds a small number inside the logarithm
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    det = 1 + (1 - h**2) * (w @ u)
    return z + u * h[:, None], torch.log(det.abs() + 1e-6)
