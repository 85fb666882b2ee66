"""
task: task4
caught_by: task4_test_a
says: "which number is multiplied with which"
why: believes that batch = D is fine because it runs
"""


def outcomes():
    return ["right", "right", "error", "wrong", "right", "right"]


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
