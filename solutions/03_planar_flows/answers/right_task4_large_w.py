"""
task: task4
why: a large w in place of a small one, and strings of NumPy
"""

import numpy as np


def outcomes():
    return list(np.array(["right", "wrong", "error", "wrong", "wrong", "right"]))


def witness():
    return torch.tensor([100.0, 0.0]), torch.tensor([0.0, 0.0])
