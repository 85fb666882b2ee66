"""
task: task2
caught_by: task2_test
says: "exceeds the limit"
why: "no bound"
"""


def bounded(raw, limit):
    return raw
