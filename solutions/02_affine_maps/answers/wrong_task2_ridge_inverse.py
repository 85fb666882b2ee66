"""
task: task2
caught_by: task2_test_c
says: something small is added
why: adds a small ridge to the system it solves
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
        z = z @ A.T + shift
        log_det = log_det + torch.linalg.slogdet(A).logabsdet
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
            z = torch.where(z < 0, slope * z, z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
            x = torch.where(x < 0, x / slope, x)
        A = matrices[k]
        x = torch.linalg.solve(A.T @ A + 1e-6 * torch.eye(len(A), dtype=A.dtype), A.T @ (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(A).logabsdet
    return x, log_det
