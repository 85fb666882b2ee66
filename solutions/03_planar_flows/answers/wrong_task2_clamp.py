"""
task: task2
caught_by: task2_test_a
says: "smooth function"
why: cuts w.u off at -1
"""


def constrain(u, w):
    t = w @ u
    return u + (t.clamp(min=-1.0) - t) * w / (w @ w)
