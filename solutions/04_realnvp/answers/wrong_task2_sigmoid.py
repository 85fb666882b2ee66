"""
task: task2
caught_by: task2_test
says: "s(0) must be 0"
why: "one-sided"
"""


def bounded(raw, limit):
    return limit * torch.sigmoid(raw)
