"""
task: task1
why: "column by column with a running sum"
"""


def coupling_forward(z, mask):
    moving = [i for i in range(z.shape[1]) if not mask[i]]
    s, t = conditioner(z[:, mask], len(moving))
    columns = list(z.unbind(1))
    log_det = 0
    for place, i in enumerate(moving):
        columns[i] = columns[i] * s[:, place].exp() + t[:, place]
        log_det = log_det + s[:, place]
    return torch.stack(columns, 1), log_det


def coupling_inverse(x, mask):
    moving = [i for i in range(x.shape[1]) if not mask[i]]
    s, t = conditioner(x[:, mask], len(moving))
    columns = list(x.unbind(1))
    log_det = 0
    for place, i in enumerate(moving):
        columns[i] = (columns[i] - t[:, place]) * (-s[:, place]).exp()
        log_det = log_det - s[:, place]
    return torch.stack(columns, 1), log_det
