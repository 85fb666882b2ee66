"""
task: task1
why: takes the factors from a helper and solves from the right
"""


def factors(packed):
    lower = torch.tril(packed, diagonal=-1)
    lower.fill_diagonal_(1.0)
    upper = torch.triu(packed).clone()
    upper.diagonal().exp_()
    return lower, upper


def lu_forward(z, packed, shift):
    lower, upper = factors(packed)
    x = torch.einsum("ij,jk,bk->bi", lower, upper, z) + shift
    return x, upper.diagonal().log().sum().repeat(z.shape[0])


def lu_inverse(x, packed, shift):
    lower, upper = factors(packed)
    y = torch.linalg.solve_triangular(lower.mT, x - shift, upper=True, left=False, unitriangular=True)
    z = torch.linalg.solve_triangular(upper.mT, y, upper=False, left=False)
    return z, -upper.diagonal().log().sum().repeat(x.shape[0])
