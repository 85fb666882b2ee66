"""
task: task2
caught_by: task2_test_b
says: "exp overflows"
why: log(1 + exp(t)) as it is written
"""


def constrain(u, w):
    t = w @ u
    return u + (torch.log(1 + torch.exp(t)) - 1 - t) * w / (w @ w)
