"""
task: task4
why: "columns and units in lists, both heads in one product"
"""


def fast_sample(z, W, b, V, c, degrees):
    D = z.shape[1]
    by_degree = {d: [k for k, degree in enumerate(degrees.tolist()) if degree == d] for d in range(D)}
    columns, units, order, logs = [], [], [], []
    for i in range(D):
        mine = by_degree[i]
        if mine:
            a = b[mine].expand(len(z), -1)
            if columns:
                a = a + meter.product(torch.stack(columns, 1), W[mine][:, :i].T)
            units.append(torch.tanh(a))
            order += mine
        both = c[:, i].expand(len(z), 2)
        if order:
            both = both + meter.product(torch.cat(units, 1), V[:, i][:, order].T)
        alpha = torch.tanh(both[:, 1])
        columns.append(z[:, i] * torch.exp(alpha) + both[:, 0])
        logs.append(alpha)
    return torch.stack(columns, 1), sum(logs)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
