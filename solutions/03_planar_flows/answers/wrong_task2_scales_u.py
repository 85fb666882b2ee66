"""
task: task2
caught_by: task2_test_a
says: "not a multiple of w"
why: scales the whole of u
"""


def constrain(u, w):
    t = w @ u
    return u * (F.softplus(t) - 1) / t
