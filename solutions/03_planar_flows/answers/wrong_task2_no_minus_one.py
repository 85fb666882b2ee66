"""
task: task2
caught_by: task2_test_a
says: "-1 in m is missing"
why: w.u_hat = log(1 + e^t), too strict
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - t) * w / (w @ w)
