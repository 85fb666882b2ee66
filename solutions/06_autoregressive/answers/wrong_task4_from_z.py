"""
task: task4
caught_by: task4_test_a
says: "they must see x"
why: "an IAF: the network reads z"
"""


def fast_sample(z, W, b, V, c, degrees):
    h = torch.tanh(meter.product(z, W.T) + b)
    mu, alpha = meter.product(h, V[0].T) + c[0], torch.tanh(meter.product(h, V[1].T) + c[1])
    return z * alpha.exp() + mu, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
