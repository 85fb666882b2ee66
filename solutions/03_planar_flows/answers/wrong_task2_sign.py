"""
task: task2
caught_by: task2_test_a
says: "sign of the correction"
why: moves u the wrong way
"""


def constrain(u, w):
    t = w @ u
    return u - (F.softplus(t) - 1 - t) * w / (w @ w)
