"""
task: task2
caught_by: task2_test_b
says: the absolute value is missing
why: takes the logarithm of a determinant that may be negative
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(len(matrices)):
        z = z @ matrices[k].T + shifts[k]
        log_det = log_det + torch.linalg.det(matrices[k]).log()
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.where(z < 0, slope * z, z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).sum(1)
            x = torch.where(x < 0, x / slope, x)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
    return x, log_det
