"""
task: task4
why: "each new column is pushed to all units, and what is not known yet is hidden by where"
"""


def fast_sample(z, W, b, V, c, degrees):
    waiting, columns, alphas = b.expand(len(z), -1), [], []
    for i in range(z.shape[1]):
        h = torch.where(degrees <= i, torch.tanh(waiting), 0.0)
        alphas.append(torch.tanh(meter.product(h, V[1, i]) + c[1, i]))
        columns.append(z[:, i] * alphas[-1].exp() + meter.product(h, V[0, i]) + c[0, i])
        waiting = waiting + meter.product(columns[-1][:, None], W[:, i][None])
    return torch.stack(columns, 1), torch.stack(alphas).sum(0)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
