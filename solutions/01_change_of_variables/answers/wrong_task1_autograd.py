"""
task: task1
caught_by: task1_test_a
says: "uses torch.autograd.grad"
why: lets automatic differentiation find the derivative
"""


def sinh_forward(z, shift, scale):
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        x = shift + scale * torch.sinh(z)
        (slope,) = torch.autograd.grad(x.sum(), z)
    return x.detach(), slope.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]
