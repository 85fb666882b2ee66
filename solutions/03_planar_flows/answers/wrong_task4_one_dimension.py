"""
task: task4
caught_by: task4_test_a
says: "over which axis"
why: believes that one dimension is safe
"""


def outcomes():
    return ["right", "wrong", "error", "right", "wrong", "right"]


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
