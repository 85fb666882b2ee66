"""
task: task1
caught_by: task1_test_b
says: absolute value
why: no absolute value, so a negative scale gives nan
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), torch.log(scale * torch.cosh(z))


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -torch.log(scale * torch.cosh(z))
