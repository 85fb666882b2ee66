"""
task: task1
why: works in NumPy, returns lists and names its arguments in its own way
"""

import numpy as np


def _slope_log(v, c):
    return np.log(abs(c)) + np.logaddexp(v, -v) - np.log(2)


def sinh_forward(points, a, c):
    v = points.detach().numpy()
    out = [a + c * np.sinh(v), _slope_log(v, c)]
    return [torch.as_tensor(o, dtype=points.dtype) for o in out]


def sinh_inverse(values, a, c):
    v = np.arcsinh((values.detach().numpy() - a) / c)
    out = [v, -_slope_log(v, c)]
    return [torch.as_tensor(o, dtype=values.dtype) for o in out]
