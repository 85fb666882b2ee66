"""
task: task4
why: a tuple, and a witness with small w and very negative w.u
"""


def outcomes():
    return ("right", "wrong", "error", "wrong", "wrong", "right")


def witness():
    return torch.tensor([0.2, -0.2]), torch.tensor([-40.0, 40.0])
