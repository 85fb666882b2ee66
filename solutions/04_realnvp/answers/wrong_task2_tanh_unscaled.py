"""
task: task2
caught_by: task2_test
says: "only one axis is stretched"
why: "stretches one axis only"
"""


def bounded(raw, limit):
    return limit * torch.tanh(raw)
