"""
task: task2
caught_by: task2_test_a
says: "u comes back unchanged"
why: no constraint
"""


def constrain(u, w):
    return u.clone()
