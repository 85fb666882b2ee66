"""
task: task2
caught_by: task2_test
says: "a sigmoid lies between"
why: "one-sided"
"""


def bounded(raw, limit):
    return limit * torch.sigmoid(raw)
