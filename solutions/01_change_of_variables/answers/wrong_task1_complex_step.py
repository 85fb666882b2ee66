"""
task: task1
caught_by: task1_test_a
says: uses .imag
why: takes the slope by a complex step
"""


def sinh_forward(z, shift, scale):
    step = torch.complex(z.double(), torch.full_like(z.double(), 1e-30))
    slope = (shift + scale * torch.sinh(step)).imag / 1e-30
    return shift + scale * torch.sinh(z), slope.abs().log().to(z.dtype)


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]
