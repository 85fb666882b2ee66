"""
task: task1
caught_by: task1_test_a
says: "uses .backward"
why: lets the gradient of a sum find the derivative
"""


def sinh_forward(z, shift, scale):
    with torch.enable_grad():
        point = z.detach().clone().requires_grad_()
        (shift + scale * torch.sinh(point)).sum().backward()
    return shift + scale * torch.sinh(z), point.grad.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]
