"""
task: task2
why: "one einsum for each, the slope as 1 / cosh squared"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    a = torch.einsum("hd,bd->bh", W, z) + b + t * c
    return torch.einsum("bh,hd,dh->b", torch.cosh(a).pow(-2), W, U)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    a = torch.einsum("hd,bd->bh", W, z) + b + t * c
    return torch.einsum("bh,hi,pbi,jh,pbj->b", torch.cosh(a) ** -2, W, noise, U, noise) / len(noise)
