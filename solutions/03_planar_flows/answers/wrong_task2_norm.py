"""
task: task2
caught_by: task2_test_a
says: "divided by |w|^2"
why: divides by the norm instead of its square
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w / w.norm()
