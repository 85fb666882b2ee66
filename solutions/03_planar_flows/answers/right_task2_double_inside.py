"""
task: task2
why: computes in float64 and casts back
"""


def constrain(u, w):
    a, c = u.double(), w.double()
    t = torch.dot(a, c)
    m = torch.logaddexp(t, torch.zeros_like(t)) - 1
    return torch.add(a, c, alpha=float((m - t) / c.square().sum())).to(u.dtype)
