"""
task: task4
caught_by: task4_test_c
says: "divided by the number of images"
why: "divides by the number of images"
"""


def to_logits(x, u, levels, alpha):
    p = alpha + (1 - 2 * alpha) * (x + u) / levels
    log_derivative = math.log((1 - 2 * alpha) / levels) - p.log() - (1 - p).log()
    return p.log() - (1 - p).log(), log_derivative.flatten(1).sum(1)


def to_pixels(w, levels, alpha):
    y = (torch.sigmoid(w) - alpha) / (1 - 2 * alpha)
    return (levels * y).floor().clamp(0, levels - 1).long()


def bits(log_prob, log_det, size):
    return -(log_prob + log_det) / (log_prob.numel() * math.log(2))
