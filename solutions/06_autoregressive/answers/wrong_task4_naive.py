"""
task: task4
caught_by: task4_test_b
says: "this is the naive loop"
why: "D passes of the whole network"
"""


def fast_sample(z, W, b, V, c, degrees):
    x = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        h = torch.tanh(meter.product(x, W.T) + b)
        mu, alpha = (meter.product(h, V[k].T) + c[k] for k in range(2))
        x = z * torch.tanh(alpha).exp() + mu
    return x, torch.tanh(alpha).sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
