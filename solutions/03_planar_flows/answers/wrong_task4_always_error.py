"""
task: task4
caught_by: task4_test_a
says: "(1, 2), (2, 2), (5, 1), (4, 4), (1, 1): not so"
why: believes that it never runs
"""


def outcomes():
    return ["error"] * 6


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
