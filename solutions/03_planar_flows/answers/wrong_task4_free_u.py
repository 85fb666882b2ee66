"""
task: task4
caught_by: task4_test_b
says: has been lifted
why: w.u < -1 for the free u, which the constraint lifts
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return torch.tensor([1.0, 1.0]), torch.tensor([-1.5, -1.5])
