"""
task: task4
caught_by: task4_test_b
says: "which of the two would you change"
why: "|w| = 1, where the two constraints agree"
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return torch.tensor([1.0, 0.0]), torch.tensor([-50.0, 0.0])
