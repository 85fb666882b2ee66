"""
task: task1
caught_by: task1_test_a
says: one and the same number for every point
why: averages the slope over the batch
"""


def sinh_forward(z, shift, scale):
    slope = abs(scale) * torch.cosh(z)
    return shift + scale * torch.sinh(z), slope.mean().log().expand(len(z)).clone()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]
