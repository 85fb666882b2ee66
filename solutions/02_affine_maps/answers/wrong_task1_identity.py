"""
task: task1
caught_by: task1_test_a
says: "unchanged"
why: returns its input
"""


def lu_forward(z, packed, shift):
    return z, torch.zeros(len(z))


def lu_inverse(x, packed, shift):
    return x, torch.zeros(len(x))
