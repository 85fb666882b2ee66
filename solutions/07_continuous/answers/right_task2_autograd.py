"""
task: task2
why: "vector-Jacobian products by autograd"
"""


def products(t, z, weights, e):
    z = z.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(velocity(t, z, weights), z, e, create_graph=True)[0]


def exact_trace(t, z, weights):
    total = torch.zeros_like(z[:, 0])
    for i in range(z.shape[1]):
        unit = torch.zeros_like(z)
        unit[:, i] = 1
        total = total + products(t, z, weights, unit)[:, i]
    return total


def hutchinson(t, z, weights, noise):
    return sum((products(t, z, weights, e) * e).sum(1) for e in noise) / len(noise)
