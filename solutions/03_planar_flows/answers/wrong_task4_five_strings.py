"""
task: task4
caught_by: task4_test_a
says: "six strings"
why: one answer short
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong"]


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
