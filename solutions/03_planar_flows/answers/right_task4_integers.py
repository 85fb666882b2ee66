"""
task: task4
why: its witness holds whole numbers; a long w does it as well as a short one
"""


def outcomes():
    return ["right", "wrong", "error", "wrong", "wrong", "right"]


def witness():
    return torch.tensor([3, 4]), torch.tensor([0, 0])
