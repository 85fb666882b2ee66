"""
task: task4
caught_by: task4_test_b
says: "between -100 and 100"
why: entries of a million
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return torch.tensor([1e-3, 0.0]), torch.tensor([-1e6, 0.0])
