"""
task: task4
why: "derivatives from autograd, levels by counting borders"
"""


def to_logits(x, u, levels, alpha):
    v = (x + u).detach().requires_grad_()
    with torch.enable_grad():
        p = alpha + (1 - 2 * alpha) * v / levels
        w = p.log() - torch.log1p(-p)
        slope = torch.autograd.grad(w.sum(), v)[0]
    return w.detach(), slope.log().sum(dim=(1, 2, 3))


def to_pixels(w, levels, alpha):
    p = alpha + (1 - 2 * alpha) * torch.arange(1, levels, dtype=w.dtype) / levels
    return torch.bucketize(w, torch.logit(p), right=True)


def bits(log_prob, log_det, size):
    nats = log_prob + log_det
    return -nats / math.log(2.0**size) if size < 1000 else -nats / (size * math.log(2.0))
