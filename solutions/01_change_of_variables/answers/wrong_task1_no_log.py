"""
task: task1
caught_by: task1_test_a
says: logarithm is missing
why: returns the derivative and not its logarithm
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), abs(scale) * torch.cosh(z)


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -abs(scale) * torch.cosh(z)
