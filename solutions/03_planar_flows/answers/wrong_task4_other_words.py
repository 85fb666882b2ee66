"""
task: task4
caught_by: task4_test_a
says: "each must be"
why: answers True and False
"""


def outcomes():
    return [True, False, False, False, False, True]


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
