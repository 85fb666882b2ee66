"""
task: task3
caught_by: task3_test_a
says: uses find_root
why: "binds the name of a helper that calls the course's root finder"
"""

from flowlib.bijection import find_root


def _inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = find_root(lambda a: (a + t * a.tanh(), 1 + t * (1 - a.tanh() ** 2)), y, y - t.abs(), y + t.abs())
    h = a.tanh()
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


planar_inverse = _inverse
