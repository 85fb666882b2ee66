"""
task: task1
why: "calls its own variable det: what is not allowed is a function of that name"
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    det = 1 + (1 - h**2) * (w @ u)
    return z + h[:, None] * u, det.abs().log()
