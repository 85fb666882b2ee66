"""
task: task2
caught_by: task2_test_a
says: "not taken off"
why: adds m instead of m - w.u
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1) * w / (w @ w)
