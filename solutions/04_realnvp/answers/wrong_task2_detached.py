"""
task: task2
caught_by: task2_test
says: "no gradient reaches"
why: "the right curve on a detached copy: autograd cannot follow"
"""


def bounded(raw, limit):
    return limit * torch.tanh(raw.detach() / limit)
