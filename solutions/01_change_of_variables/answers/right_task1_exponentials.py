"""
task: task1
why: writes sinh, cosh and asinh out with exponentials and logarithms
"""


def sinh_forward(z, shift, scale):
    up, down = z.exp(), (-z).exp()
    return shift + scale * 0.5 * (up - down), torch.log(abs(scale) * 0.5 * (up + down))


def sinh_inverse(x, shift, scale):
    y = (x - shift) / scale
    z = y.abs() + torch.sqrt(y**2 + 1)
    z = torch.sign(y) * torch.log(z)
    return z, -torch.log(abs(scale) * torch.sqrt(1 + y**2))
