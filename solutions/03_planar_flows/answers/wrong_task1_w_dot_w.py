"""
task: task1
caught_by: task1_test_a
says: "looks like w.w"
why: multiplies psi with w instead of u
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ w)).abs().log()
