"""
task: task1
caught_by: task1_test_b
says: "keep the dtype"
why: turns everything into float32
"""


def planar_forward(z, w, u, b):
    z, w, u = z.float(), w.float(), u.float()
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()
