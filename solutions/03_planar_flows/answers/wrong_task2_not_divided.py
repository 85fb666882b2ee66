"""
task: task2
caught_by: task2_test_a
says: "not divided by |w|^2"
why: does not divide at all
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w
