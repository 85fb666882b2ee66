"""
task: task2
why: "a local variable is named jacobian, and filled by the network's formula"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    jacobian = torch.einsum("ih,bh,hj->bij", U, slope, W)
    return jacobian.diagonal(dim1=1, dim2=2).sum(1)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    jacobian = torch.einsum("ih,bh,hj->bij", U, slope, W)
    return torch.stack([torch.einsum("bi,bij,bj->b", e, jacobian, e) for e in noise]).mean(0)
