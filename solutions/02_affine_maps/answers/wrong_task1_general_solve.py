"""
task: task1
caught_by: task1_test_b
says: "uses torch.linalg.solve"
why: inverts with a general solve of the full matrix
"""


def lu_forward(z, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))


def lu_inverse(x, packed, shift):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    U = packed.triu(1) + packed.diagonal().exp().diag()
    z = torch.linalg.solve(L @ U, (x - shift).T).T
    return z, -packed.diagonal().sum().expand(len(x))
