"""
task: task1
caught_by: task1_test_a
says: "left out"
why: moves the points and forgets the volume
"""


def planar_forward(z, w, u, b):
    return z + u * torch.tanh(z @ w + b)[:, None], torch.zeros(len(z), dtype=z.dtype)
