"""
task: task2
caught_by: task2_test_a
says: the leaky ReLU only where s < 1
why: takes the larger of z and slope * z for the leaky ReLU, which is right only for slopes below one
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k, (A, b) in enumerate(zip(matrices, shifts, strict=True)):
        z = z @ A.T + b
        log_det = log_det + torch.linalg.slogdet(A)[1]
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.maximum(z, slope * z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).sum(1)
            x = torch.minimum(x, x / slope)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
    return x, log_det
