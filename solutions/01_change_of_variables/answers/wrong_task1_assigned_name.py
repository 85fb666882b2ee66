"""
task: task1
caught_by: task1_test_a
says: uses torch.func.jvp
why: binds the name of a helper that differentiates automatically
"""


def _there(z, shift, scale):
    x, slope = torch.func.jvp(lambda v: shift + scale * torch.sinh(v), (z,), (torch.ones_like(z),))
    return x, slope.abs().log()


def _back(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -_there(z, shift, scale)[1]


sinh_forward = _there
sinh_inverse = _back
