"""
task: task2
caught_by: task2_test
says: "in place"
why: "changes what the network returned"
"""


def bounded(raw, limit):
    return raw.div_(limit).tanh_().mul_(limit)
