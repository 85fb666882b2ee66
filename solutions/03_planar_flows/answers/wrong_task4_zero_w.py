"""
task: task4
caught_by: task4_test_b
says: "translation"
why: w = 0
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return torch.zeros(2), torch.tensor([-50.0, 0.0])
