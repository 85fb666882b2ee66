"""
task: task1
caught_by: task1_test_b
says: changes its first argument in place
why: takes the shift off the tensor that it was given
"""


def _factors(packed):
    eye = torch.eye(len(packed), dtype=packed.dtype)
    return packed.tril(-1) + eye, packed.triu(1) + packed.diagonal().exp().diag()


def lu_forward(z, packed, shift):
    L, U = _factors(packed)
    return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))


def lu_inverse(x, packed, shift):
    L, U = _factors(packed)
    x -= shift
    y = torch.linalg.solve_triangular(L, x.T, upper=False)
    z = torch.linalg.solve_triangular(U, y, upper=True)
    return z.T, -packed.diagonal().sum().expand(len(x))
