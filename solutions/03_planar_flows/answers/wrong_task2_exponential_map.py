"""
task: task2
caught_by: task2_test_a
says: is it another function than m
why: another increasing map above -1
"""


def constrain(u, w):
    t = w @ u
    return u + (torch.expm1(t.clamp(max=20)) - t) * w / (w @ w)
