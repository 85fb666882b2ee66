"""
task: task2
why: "products from the left and from the right"
"""


def exact_trace(t, z, weights):
    units = torch.eye(z.shape[1], dtype=z.dtype)
    return sum(
        torch.func.jvp(lambda p: velocity(t, p, weights), (z,), (e.expand_as(z).clone(),))[1] @ e
        for e in units
    )


def hutchinson(t, z, weights, noise):
    _, pull = torch.func.vjp(lambda p: velocity(t, p, weights), z)
    return torch.stack([(pull(e)[0] * e).sum(-1) for e in noise]).mean(0)
