"""
task: task1
why: a log cosh that does not overflow
"""


def sinh_forward(z, shift, scale):
    log_cosh = z.abs() + torch.nn.functional.softplus(-2 * z.abs()) - math.log(2)
    return scale * z.sinh() + shift, log_cosh + math.log(abs(scale))


def sinh_inverse(x, shift, scale):
    standard = (x - shift) / scale
    return standard.asinh(), -0.5 * torch.log1p(standard**2) - math.log(abs(scale))
