"""
task: task1
caught_by: task1_test_a
says: "comes back unchanged"
why: does nothing, with log_det 0
"""


def planar_forward(z, w, u, b):
    return z, torch.zeros(len(z), dtype=z.dtype)
