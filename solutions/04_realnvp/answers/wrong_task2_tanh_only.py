"""
task: task2
caught_by: task2_test
says: "the limit is not used"
why: "forgets the limit"
"""


def bounded(raw, limit):
    return torch.tanh(raw)
