"""
task: task2
caught_by: task2_test_a
says: "all entries"
why: "the gradient of the sum of v adds all entries of J"
"""


def exact_trace(t, z, weights):
    z = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(velocity(t, z, weights).sum(), z)
    return gradient.sum(1)


def hutchinson(t, z, weights, noise):
    z = z.clone().requires_grad_()
    v = velocity(t, z, weights)
    return torch.stack([(torch.autograd.grad(v, z, e, retain_graph=True)[0] * e).sum(1) for e in noise]).mean(
        0
    )
