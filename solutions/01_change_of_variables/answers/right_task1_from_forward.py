"""
task: task1
why: takes the inverse's log-derivative from forward at the matching point
"""


def sinh_forward(z, shift, scale):
    slope = scale * torch.cosh(z)
    return shift + scale * torch.sinh(z), slope.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    _, log_det = sinh_forward(z, shift, scale)
    return z, -log_det
