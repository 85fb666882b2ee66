"""
task: task1
why: substitutes forward and back by hand, row after row
"""


def lu_forward(z, packed, shift):
    dim = len(packed)
    y = torch.zeros_like(z)
    for i in range(dim):
        y[:, i] = z[:, i] * packed[i, i].exp() + (z[:, i + 1 :] * packed[i, i + 1 :]).sum(1)
    x = torch.zeros_like(z)
    for i in range(dim):
        x[:, i] = y[:, i] + (y[:, :i] * packed[i, :i]).sum(1)
    return x + shift, torch.ones_like(z[:, 0]) * packed.trace()


def lu_inverse(x, packed, shift):
    dim = len(packed)
    y = x - shift
    for i in range(dim):
        y[:, i] = y[:, i] - (y[:, :i] * packed[i, :i]).sum(1)
    for i in reversed(range(dim)):
        y[:, i] = (y[:, i] - (y[:, i + 1 :] * packed[i, i + 1 :]).sum(1)) * (-packed[i, i]).exp()
    return y, -torch.ones_like(x[:, 0]) * packed.trace()
