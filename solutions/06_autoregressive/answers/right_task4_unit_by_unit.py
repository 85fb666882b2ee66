"""
task: task4
why: "a loop over single units, only over their real inputs"
"""


def fast_sample(z, W, b, V, c, degrees):
    x, log_det = z.clone(), z[:, 0] * 0
    units = {}
    for i in range(z.shape[1]):
        for k in range(len(b)):
            if degrees[k] == i:
                units[k] = torch.tanh(meter.product(x[:, :i], W[k, :i]) + b[k])
        mu, raw = c[0, i].expand(len(z)), c[1, i].expand(len(z))
        if units:
            h, known = torch.stack(list(units.values()), 1), list(units)
            mu, raw = mu + meter.product(h, V[0, i, known]), raw + meter.product(h, V[1, i, known])
        alpha = torch.tanh(raw)
        x[:, i] = mu + torch.exp(alpha) * z[:, i]
        log_det = log_det + alpha
    return x, log_det


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
