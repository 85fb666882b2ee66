"""
task: task4
why: "finished units are pushed to the sums of all later outputs; units are pushed to by x"
"""


def fast_sample(z, W, b, V, c, degrees):
    batch, D = z.shape
    waiting = b.expand(batch, -1).clone()  # W x + b, as far as x is known
    sums = c[:, None].expand(2, batch, D).clone()  # V h + c, as far as h is known
    columns = []
    for i in range(D):
        units = (degrees == i).nonzero().flatten()
        if len(units):
            h = torch.tanh(waiting[:, units])
            for head in range(2):
                sums[head, :, i:] += meter.product(h, V[head, i:, units].T)
        columns.append(z[:, i] * torch.tanh(sums[1, :, i]).exp() + sums[0, :, i])
        later = (degrees > i).nonzero().flatten()
        waiting[:, later] += meter.product(columns[-1][:, None], W[later, i][None])
    return torch.stack(columns, 1), torch.tanh(sums[1]).sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
