"""
task: task1
caught_by: task1_test_b
says: has shape (2,), expected (1, 2)
why: treats D = 1 or a batch of 1 by squeezing the axes away
"""


def planar_forward(z, w, u, b):
    z = z.squeeze()
    h = torch.tanh(z @ w + b)
    return z + u * h[..., None], (1 + (1 - h**2) * (w @ u)).abs().log()
