"""
task: task4
caught_by: task4_test_a
says: "sum over the dimensions of each point"
why: "one number for each pixel"
"""


def to_logits(x, u, levels, alpha):
    y = (x + u) / levels
    p = alpha + (1 - 2 * alpha) * y
    w = torch.log(p / (1 - p))
    steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
    return w, steps


def to_pixels(w, levels, alpha):
    p = 1 / (1 + torch.exp(-w))
    y = (p - alpha) / (1 - 2 * alpha)
    return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)


def bits(log_prob, log_det, size):
    return -(log_prob + log_det) / math.log(2) / size
