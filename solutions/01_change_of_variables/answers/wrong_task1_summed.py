"""
task: task1
caught_by: task1_test_a
says: one number per point
why: one number for the whole batch
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), (math.log(abs(scale)) + torch.cosh(z).log()).sum()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, (-math.log(abs(scale)) - torch.cosh(z).log()).sum()
