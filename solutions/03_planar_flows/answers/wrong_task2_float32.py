"""
task: task2
caught_by: task2_test_a
says: "keep the dtype"
why: computes in float32
"""


def constrain(u, w):
    u, w = u.float(), w.float()
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w / (w @ w)
