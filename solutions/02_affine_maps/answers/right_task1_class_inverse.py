"""
task: task1
why: keeps the two factors in a class with forward and inverse
"""


class PackedLU:
    def __init__(self, packed, shift):
        self.shift, self.diagonal = shift, packed.diagonal()
        self.L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
        self.U = packed.triu(1) + torch.diag(self.diagonal.exp())

    def forward(self, z):
        return (self.L @ (self.U @ z.T)).T + self.shift, self.diagonal.sum().repeat(len(z))

    def inverse(self, x):
        y = torch.linalg.solve_triangular(self.L, (x - self.shift).T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(self.U, y, upper=True).T, -self.diagonal.sum().repeat(len(x))


def lu_forward(z, packed, shift):
    return PackedLU(packed, shift).forward(z)


def lu_inverse(x, packed, shift):
    return PackedLU(packed, shift).inverse(x)
