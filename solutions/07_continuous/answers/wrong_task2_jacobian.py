"""
task: task2
caught_by: task2_test_a
says: "jacrev"
why: "builds the whole Jacobian"
"""


def exact_trace(t, z, weights):
    J = torch.func.vmap(torch.func.jacrev(lambda p: velocity(t, p, weights)))(z)
    return J.diagonal(dim1=1, dim2=2).sum(1)


def hutchinson(t, z, weights, noise):
    J = torch.func.vmap(torch.func.jacrev(lambda p: velocity(t, p, weights)))(z)
    return torch.einsum("pbi,bij,pbj->pb", noise, J, noise).mean(0)
