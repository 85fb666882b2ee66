"""
task: task1
caught_by: task1_test_a
says: the scale is missing
why: the scale is forgotten in both log-derivatives
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -torch.cosh(z).log()
