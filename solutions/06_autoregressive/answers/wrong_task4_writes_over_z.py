"""
task: task4
caught_by: task4_test_a
says: "changes its first argument in place"
why: "x is built where z was"
"""


def fast_sample(z, W, b, V, c, degrees):
    h = z.new_zeros(len(z), len(b))
    log_det = z.new_zeros(len(z))
    for i in range(z.shape[1]):
        ready = degrees == i
        h[:, ready] = torch.tanh(meter.product(z[:, :i], W[ready, :i].T) + b[ready])
        alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
        z[:, i] = z[:, i] * alpha.exp() + meter.product(h, V[0, i]) + c[0, i]
        log_det = log_det + alpha
    return z, log_det


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
