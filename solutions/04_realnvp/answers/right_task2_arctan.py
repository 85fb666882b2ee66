"""
task: task2
why: "arctangent"
"""


def bounded(raw, limit):
    width = 2 * limit / math.pi
    return width * torch.atan(raw / width)
