"""
task: task1
caught_by: task1_test_a
says: "second axis"
why: multiplies (batch,) with (dim,), an error unless batch = dim
"""


def planar_forward(z, w, u, b):
    a = z @ w + b
    psi = (1 - torch.tanh(a) ** 2) * w
    return z + u * torch.tanh(a)[:, None], (1 + (psi * u).sum(-1)).abs().log() + torch.zeros_like(a)
