"""
task: task2
caught_by: task2_test_a
says: only the first two layers are applied
why: is written out for two layers
"""


def stack_forward(z, matrices, shifts, slope):
    y = z @ matrices[0].T + shifts[0]
    log_det = torch.linalg.slogdet(matrices[0])[1].expand(len(z)).clone()
    if len(matrices) == 1:
        return y, log_det
    log_det = log_det + math.log(slope) * (y < 0).to(z.dtype).sum(1) + torch.linalg.slogdet(matrices[1])[1]
    y = torch.where(y < 0, slope * y, y)
    return y @ matrices[1].T + shifts[1], log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
            x = torch.where(x < 0, x / slope, x)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
    return x, log_det
