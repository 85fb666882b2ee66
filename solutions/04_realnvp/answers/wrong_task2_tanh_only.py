"""
task: task2
caught_by: task2_test
says: "exceeds the limit"
why: "forgets the limit"
"""


def bounded(raw, limit):
    return torch.tanh(raw)
