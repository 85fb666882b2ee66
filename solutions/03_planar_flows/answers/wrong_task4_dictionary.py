"""
task: task4
caught_by: task4_test_a
says: must return a list
why: answers with a dictionary
"""


def outcomes():
    return {
        (1, 2): "right",
        (2, 2): "wrong",
        (5, 2): "error",
        (5, 1): "wrong",
        (4, 4): "wrong",
        (1, 1): "right",
    }


def witness():
    return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
