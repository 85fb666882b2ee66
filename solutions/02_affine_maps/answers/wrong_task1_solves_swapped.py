"""
task: task1
caught_by: task1_test_b
says: "wrong order"
why: solves with U first, then with L
"""


def lu_forward(z, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))


def lu_inverse(x, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    y = torch.linalg.solve_triangular(U, (x - shift).T, upper=True)
    z = torch.linalg.solve_triangular(L, y, upper=False)
    return z.T, -packed.diagonal().sum().expand(len(x))
