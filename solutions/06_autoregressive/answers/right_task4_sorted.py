"""
task: task4
why: "sorts the units, so that those of a step lie side by side"
"""


def fast_sample(z, W, b, V, c, degrees):
    batch, D = z.shape
    by_degree = torch.argsort(degrees)
    W, b, V = W[by_degree], b[by_degree], V[:, :, by_degree]
    ends = torch.searchsorted(degrees[by_degree].contiguous(), torch.arange(D), right=True).tolist()
    x, h = z[:, :0], z[:, :0]
    log_scale, start = [], 0
    for i, stop in enumerate(ends):
        h = torch.cat([h, torch.tanh(meter.product(x, W[start:stop, :i].T) + b[start:stop])], 1)
        start = stop
        mu, raw = (meter.product(h, V[:, i, :stop].T) + c[:, i]).unbind(1)
        log_scale.append(torch.tanh(raw))
        x = torch.cat([x, (z[:, i] * log_scale[-1].exp() + mu)[:, None]], 1)
    return x, sum(log_scale)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
