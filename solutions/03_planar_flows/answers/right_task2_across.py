"""
task: task2
why: keeps the part of u across w and replaces the part along it
"""


def constrain(u, w):
    square = torch.dot(w, w)
    t = torch.dot(w, u)
    across = u - t / square * w
    return across + (torch.logaddexp(torch.zeros_like(t), t) - 1) / square * w
