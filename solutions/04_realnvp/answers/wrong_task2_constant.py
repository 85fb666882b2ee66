"""
task: task2
caught_by: task2_test
says: "slope at zero"
why: "constant"
"""


def bounded(raw, limit):
    return torch.zeros_like(raw)
