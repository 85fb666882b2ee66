"""
task: task1
why: writes the sums out and uses 1/cosh^2 for the derivative
"""


def planar_forward(z, w, u, b):
    a = torch.einsum("nd,d->n", z, w) + b
    x = z + torch.outer(torch.tanh(a), u)
    slope = 1 / torch.cosh(a).square()
    return x, (slope * (u * w).sum()).add(1).abs().log()
