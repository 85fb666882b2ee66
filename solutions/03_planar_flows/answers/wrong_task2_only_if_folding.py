"""
task: task2
caught_by: task2_test_a
says: only a w.u below -1 is moved
why: corrects only what would fold
"""


def constrain(u, w):
    t = w @ u
    if t >= -1:
        return u
    return u + (F.softplus(t) - 1 - t) * w / (w @ w)
