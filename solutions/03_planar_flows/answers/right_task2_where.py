"""
task: task2
why: computes log(1 + e^t) as max(t, 0) + log1p(exp(-|t|))
"""


def constrain(u, w):
    t = (w * u).sum()
    m = -1 + torch.maximum(t, torch.zeros_like(t)) + torch.log1p(torch.exp(-t.abs()))
    return u + w * (m - t) / w.square().sum()
