"""
task: task2
caught_by: task2_test_b
says: leaves the range of the numbers
why: multiplies the determinants and takes one logarithm at the end
"""


def stack_forward(z, matrices, shifts, slope):
    det = torch.ones_like(z[:, 0])
    for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
        z = z @ A.T + shift
        det = det * torch.linalg.det(A)
        if k < len(matrices) - 1:
            det = det * torch.where(z < 0, slope, 1.0).to(z.dtype).prod(1)
            z = torch.where(z < 0, slope * z, z)
    return z, det.abs().log()


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
            x = torch.where(x < 0, x / slope, x)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
    return x, log_det
