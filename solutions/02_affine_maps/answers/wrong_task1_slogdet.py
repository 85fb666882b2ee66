"""
task: task1
caught_by: task1_test_a
says: "uses torch.linalg.slogdet"
why: computes the determinant of the full matrix
"""


def lu_forward(z, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    return z @ (L @ U).T + shift, torch.linalg.slogdet(L @ U)[1].expand(len(z))


def lu_inverse(x, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    y = torch.linalg.solve_triangular(L, (x - shift).T, upper=False)
    z = torch.linalg.solve_triangular(U, y, upper=True)
    return z.T, -packed.diagonal().sum().expand(len(x))
