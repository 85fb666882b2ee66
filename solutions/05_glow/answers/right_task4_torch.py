"""
task: task4
why: "torch.logit, softplus for the derivative, clamping before flooring"
"""

import torch.nn.functional as F


def to_logits(x, u, levels, alpha):
    inside = 1 - 2 * alpha
    w = torch.logit(alpha + inside * (x.to(u.dtype) + u) / levels)
    log_derivative = F.softplus(w) + F.softplus(-w)
    constant = w[0].numel() * math.log(inside / levels)
    return w, log_derivative.flatten(1).sum(-1) + constant


def to_pixels(w, levels, alpha):
    v = levels * (w.sigmoid() - alpha) / (1 - 2 * alpha)
    return torch.minimum(v.clamp(min=0), torch.tensor(levels - 1.0)).int().long()


def bits(log_prob, log_det, size):
    return torch.stack([-(a + b) / size for a, b in zip(log_prob, log_det, strict=True)]) * math.log2(math.e)
