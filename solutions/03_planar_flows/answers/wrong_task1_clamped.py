"""
task: task1
caught_by: task1_test_a
says: a negative determinant is cut off
why: clamps the determinant instead of taking its absolute value
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).clamp_min(1e-6).log()
