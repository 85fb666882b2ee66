"""
task: task4
caught_by: task4_test_a
says: "(5,) be multiplied"
why: did not try five points
"""


def outcomes():
    return ["right", "wrong", "wrong", "wrong", "wrong", "right"]


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
