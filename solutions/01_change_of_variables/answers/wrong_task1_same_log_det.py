"""
task: task1
caught_by: task1_test_a
says: the sign is flipped
why: the inverse returns the forward's log-derivative, without the minus
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), math.log(abs(scale)) + torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, math.log(abs(scale)) + torch.cosh(z).log()
