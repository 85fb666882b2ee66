"""
task: task1
caught_by: task1_test_a
says: leaves the range of the numbers
why: multiplies the diagonal before it takes the logarithm
"""


def _factors(packed):
    eye = torch.eye(len(packed), dtype=packed.dtype)
    return packed.tril(-1) + eye, packed.triu(1) + packed.diagonal().exp().diag()


def lu_forward(z, packed, shift):
    L, U = _factors(packed)
    return z @ U.T @ L.T + shift, U.diagonal().prod().log().expand(len(z))


def lu_inverse(x, packed, shift):
    L, U = _factors(packed)
    y = torch.linalg.solve_triangular(L, (x - shift).T, upper=False)
    z = torch.linalg.solve_triangular(U, y, upper=True)
    return z.T, -U.diagonal().prod().log().expand(len(x))
