"""
task: task4
caught_by: task4_test_a
says: "the units of degree 0 are forgotten"
why: "forgets the units that see nothing"
"""


def fast_sample(z, W, b, V, c, degrees):
    """x, (batch, D), and log|det dx/dz|, (batch,), with the multiplications of one pass."""
    x, h = torch.zeros_like(z), z.new_zeros(len(z), len(b))
    log_det = z.new_zeros(len(z))
    for i in range(z.shape[1]):
        ready = (degrees == i) & (degrees > 0)
        h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
        mu = meter.product(h, V[0, i]) + c[0, i]
        alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
        x[:, i] = z[:, i] * alpha.exp() + mu
        log_det = log_det + alpha
    return x, log_det


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
