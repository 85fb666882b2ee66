"""
task: task2
caught_by: task2_test
says: "there is no bound"
why: "no bound"
"""


def bounded(raw, limit):
    return raw
