"""
task: task2
caught_by: task2_test
says: "exceeds the limit"
why: "far outside the limit for raw between 16 and 40"
"""


def bounded(raw, limit):
    far = (raw.abs() > 16) & (raw.abs() < 40)
    return limit * torch.tanh(raw / limit) + 1000 * raw.sign() * far.to(raw.dtype)
