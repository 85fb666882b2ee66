"""
task: task2
caught_by: task2_test
says: "the slope at zero"
why: "stretches one axis only"
"""


def bounded(raw, limit):
    return limit * torch.tanh(raw)
