"""
task: task1
caught_by: task1_test_b
says: keep the dtype
why: turns everything into float64
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z.double()), math.log(abs(scale)) + torch.cosh(z.double()).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -math.log(abs(scale)) - torch.cosh(z).log()
