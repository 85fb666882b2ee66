"""
task: task2
why: takes off one layer and calls itself
"""


def stack_forward(z, matrices, shifts, slope):
    y = z @ matrices[0].T + shifts[0]
    volume = torch.linalg.slogdet(matrices[0]).logabsdet.expand(len(z))
    if len(matrices) == 1:
        return y, volume
    stretch = torch.where(y < 0, torch.full_like(y, slope), torch.ones_like(y))
    x, rest = stack_forward(y * stretch, matrices[1:], shifts[1:], slope)
    return x, volume + stretch.log().sum(1) + rest


def stack_inverse(x, matrices, shifts, slope):
    if len(matrices) > 1:
        y, rest = stack_inverse(x, matrices[1:], shifts[1:], slope)
        stretch = torch.where(y < 0, torch.full_like(y, slope), torch.ones_like(y))
        y, rest = y / stretch, rest - stretch.log().sum(1)
    else:
        y, rest = x, torch.zeros_like(x[:, 0])
    z = (y - shifts[0]) @ torch.linalg.inv(matrices[0]).T
    return z, rest - torch.linalg.slogdet(matrices[0]).logabsdet
