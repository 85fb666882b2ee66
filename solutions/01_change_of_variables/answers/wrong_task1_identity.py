"""
task: task1
caught_by: task1_test_a
says: comes back unchanged
why: returns its input and a log-derivative of zero, which obeys every law
"""


def sinh_forward(z, shift, scale):
    return z, torch.zeros_like(z)


def sinh_inverse(x, shift, scale):
    z = x
    return z, torch.zeros_like(x)
