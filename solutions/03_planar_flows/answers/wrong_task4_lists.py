"""
task: task4
caught_by: task4_test_b
says: w is a list
why: gives the witness as lists of numbers
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return [0.1, 0.0], [-50.0, 0.0]
