"""
task: task2
why: "written with einsum, the slope of tanh as 1 / cosh^2"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    h = torch.tanh(torch.einsum("hd,bd->bh", W, z) + b + c * t)
    J = torch.einsum("dh,bh,he->bde", U, 1 - h * h, W)
    return torch.einsum("bdd->b", J)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = torch.cosh(z @ W.T + b + c * t) ** -2
    pushed = torch.einsum("dh,bh,hj,pbj->pbd", U, slope, W, noise)
    return torch.einsum("pbd,pbd->b", noise, pushed) / noise.shape[0]
