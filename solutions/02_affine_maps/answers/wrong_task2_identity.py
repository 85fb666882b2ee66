"""
task: task2
caught_by: task2_test_a
says: "unchanged"
why: returns its input
"""


def stack_forward(z, matrices, shifts, slope):
    return z, torch.zeros(len(z))


def stack_inverse(x, matrices, shifts, slope):
    return x, torch.zeros(len(x))
