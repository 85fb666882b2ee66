"""
task: task1
caught_by: task1_test_b
says: the scale loses its sign
why: maps with the size of the scale, so that only its sign tells
"""


def sinh_forward(z, shift, scale):
    c = abs(scale)
    return shift + c * torch.sinh(z), torch.log(c * torch.cosh(z))


def sinh_inverse(x, shift, scale):
    c = abs(scale)
    z = torch.asinh((x - shift) / c)
    return z, -torch.log(c * torch.cosh(z))
