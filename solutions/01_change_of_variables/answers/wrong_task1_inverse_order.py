"""
task: task1
caught_by: task1_test_a
says: the shift was added last
why: undoes the shift after the scale in the wrong order
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), math.log(abs(scale)) + torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh(x / scale - shift)
    return z, -math.log(abs(scale)) - torch.cosh(z).log()
