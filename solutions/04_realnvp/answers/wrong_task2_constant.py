"""
task: task2
caught_by: task2_test
says: "does not depend on raw"
why: "constant"
"""


def bounded(raw, limit):
    return torch.zeros_like(raw)
