# %% right: class_inverse
"""
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


# %% right: helpers
"""
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


# %% right: loops
"""
why: substitutes forward and back by hand, row after row
"""


def lu_forward(z, packed, shift):
    dim = len(packed)
    y = torch.zeros_like(z)
    for i in range(dim):
        y[:, i] = z[:, i] * packed[i, i].exp() + (z[:, i + 1 :] * packed[i, i + 1 :]).sum(1)
    x = torch.zeros_like(z)
    for i in range(dim):
        x[:, i] = y[:, i] + (y[:, :i] * packed[i, :i]).sum(1)
    return x + shift, torch.ones_like(z[:, 0]) * packed.trace()


def lu_inverse(x, packed, shift):
    dim = len(packed)
    y = x - shift
    for i in range(dim):
        y[:, i] = y[:, i] - (y[:, :i] * packed[i, :i]).sum(1)
    for i in reversed(range(dim)):
        y[:, i] = (y[:, i] - (y[:, i + 1 :] * packed[i, i + 1 :]).sum(1)) * (-packed[i, i]).exp()
    return y, -torch.ones_like(x[:, 0]) * packed.trace()


# %% right: rows
"""
why: substitutes forwards and backwards, row by row
"""


def lu_forward(z, packed, shift):
    D = packed.shape[0]
    y = [
        sum(packed[i, j] * z[:, j] for j in range(i + 1, D)) + packed[i, i].exp() * z[:, i] for i in range(D)
    ]
    x = [y[i] + sum(packed[i, j] * y[j] for j in range(i)) + shift[i] for i in range(D)]
    return torch.stack(x, 1), z.new_ones(len(z)) * packed.diagonal().sum()


def lu_inverse(x, packed, shift):
    D = packed.shape[0]
    y, z = [], [None] * D
    for i in range(D):
        y.append(x[:, i] - shift[i] - sum(packed[i, j] * y[j] for j in range(i)))
    for i in reversed(range(D)):
        z[i] = (y[i] - sum(packed[i, j] * z[j] for j in range(i + 1, D))) * (-packed[i, i]).exp()
    return torch.stack(z, 1), -x.new_ones(len(x)) * packed.diagonal().sum()


# %% wrong: assigned_linear
"""
caught_by: task1_test_a
says: uses Linear.from_matrix
why: "binds the name of a helper that hands the work to flowlib's layer"
"""


def _factors(packed):
    eye = torch.eye(len(packed), dtype=packed.dtype)
    return packed.tril(-1) + eye, packed.triu(1) + packed.diagonal().exp().diag()


def _layer(packed, shift):
    L, U = _factors(packed)
    return Linear.from_matrix(L @ U, shift)


def _there(z, packed, shift):
    with torch.no_grad():
        return _layer(packed, shift)(z)


def _back(x, packed, shift):
    with torch.no_grad():
        return _layer(packed, shift).inverse(x)


lu_forward, lu_inverse = _there, _back

# %% wrong: diagonal_twice
"""
caught_by: task1_test_a
says: "ones on its diagonal"
why: leaves the packed diagonal in both factors

-     L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
+     L = packed.tril(-1) + packed.diagonal().exp().diag()
      U = packed.triu(1) + packed.diagonal().exp().diag()
-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))
"""

# %% wrong: exp_log_det
"""
caught_by: task1_test_a
says: "add their logarithms"
why: sums the entries of the diagonal where their logarithms belong

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, U.diagonal().sum().expand(len(z))
"""

# %% wrong: float32
"""
caught_by: task1_test_a
says: "keep the dtype"
why: makes the log-determinant with the default dtype

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, torch.full((len(z),), packed.trace().item())
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "uses Linear"
why: hands the work to flowlib's layer
"""


def layer_of(packed, shift):
    lower = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    return Linear.from_matrix(lower @ (packed.triu(1) + packed.diagonal().exp().diag()), shift)


def lu_forward(z, packed, shift):
    return layer_of(packed, shift)(z)


def lu_inverse(x, packed, shift):
    return layer_of(packed, shift).inverse(x)


# %% wrong: general_solve
"""
caught_by: task1_test_b
says: "uses torch.linalg.solve"
why: inverts with a general solve of the full matrix

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))

-     y = torch.linalg.solve_triangular(L, (x - shift).T, upper=False)
-     z = torch.linalg.solve_triangular(U, y, upper=True)
-     return z.T, -packed.diagonal().sum().expand(len(x))
+     z = torch.linalg.solve(L @ U, (x - shift).T).T
+     return z, -packed.diagonal().sum().expand(len(x))
"""

# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: has shape (1, 2), expected (3, 2)
why: returns the example's numbers
"""


def lu_forward(z, packed, shift):
    return torch.tensor([[1.5, -0.5]]), torch.tensor([1.7918])


def lu_inverse(x, packed, shift):
    return torch.tensor([[1.0, -1.0]]), torch.tensor([-1.7918])


# %% wrong: identity
"""
caught_by: task1_test_a
says: "unchanged"
why: returns its input
"""


def lu_forward(z, packed, shift):
    return z, torch.zeros(len(z))


def lu_inverse(x, packed, shift):
    return x, torch.zeros(len(x))


# %% wrong: in_place_shift
"""
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


# %% wrong: inverse_sign
"""
caught_by: task1_test_b
says: "sign is flipped"
why: returns the forward's log-determinant from the inverse

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))

-     return z.T, -packed.diagonal().sum().expand(len(x))
+     return z.T, packed.diagonal().sum().expand(len(x))
"""

# %% wrong: matrix_power
"""
caught_by: task1_test_b
says: "matrix_power, which this task does not allow"
why: inverts the full matrix under another name
"""


def factors(packed):
    L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    return L, packed.triu(1) + packed.diagonal().exp().diag()


def lu_forward(z, packed, shift):
    L, U = factors(packed)
    return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))


def lu_inverse(x, packed, shift):
    L, U = factors(packed)
    inverse = torch.linalg.matrix_power(L @ U, -1)
    return (x - shift) @ inverse.T, -packed.diagonal().sum().expand(len(x))


# %% wrong: no_exp
"""
caught_by: task1_test_a
says: "holds logarithms"
why: uses the logarithms on the diagonal as if they were the entries

-     U = packed.triu(1) + packed.diagonal().exp().diag()
-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     U = packed.triu(1) + packed.diagonal().diag()
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))
"""

# %% wrong: order
"""
caught_by: task1_test_a
says: "wrong order"
why: multiplies the factors the other way round

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (U @ L).T + shift, packed.diagonal().sum().expand(len(z))
"""

# %% wrong: product_overflows
"""
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


# %% wrong: scalar
"""
caught_by: task1_test_a
says: "one number per point"
why: returns one number for the whole batch

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum()
"""

# %% wrong: shift_last
"""
caught_by: task1_test_b
says: "goes first"
why: subtracts the shift after undoing the matrix

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))

-     y = torch.linalg.solve_triangular(L, (x - shift).T, upper=False)
+     y = torch.linalg.solve_triangular(L, x.T, upper=False)
      z = torch.linalg.solve_triangular(U, y, upper=True)
-     return z.T, -packed.diagonal().sum().expand(len(x))
+     return z.T - shift, -packed.diagonal().sum().expand(len(x))
"""

# %% wrong: slogdet
"""
caught_by: task1_test_a
says: "uses torch.linalg.slogdet"
why: computes the determinant of the full matrix

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, torch.linalg.slogdet(L @ U)[1].expand(len(z))
"""

# %% wrong: solves_swapped
"""
caught_by: task1_test_b
says: "wrong order"
why: solves with U first, then with L

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z))

-     y = torch.linalg.solve_triangular(L, (x - shift).T, upper=False)
-     z = torch.linalg.solve_triangular(U, y, upper=True)
+     y = torch.linalg.solve_triangular(U, (x - shift).T, upper=True)
+     z = torch.linalg.solve_triangular(L, y, upper=False)
"""

# %% wrong: summed_over_batch
"""
caught_by: task1_test_a
says: "summed over the batch"
why: adds the same number once for each point

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U).T + shift, packed.diagonal().sum().expand(len(z)) * len(z)
"""

# %% wrong: tensorsolve
"""
caught_by: task1_test_b
says: uses torch.linalg.tensorsolve
why: solves the full system under another name
"""


def _factors(packed):
    eye = torch.eye(len(packed), dtype=packed.dtype)
    return packed.tril(-1) + eye, packed.triu(1) + packed.diagonal().exp().diag()


def lu_forward(z, packed, shift):
    L, U = _factors(packed)
    return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))


def lu_inverse(x, packed, shift):
    L, U = _factors(packed)
    A = L @ U
    z = torch.stack([torch.linalg.tensorsolve(A, row - shift) for row in x])
    return z, -packed.diagonal().sum().expand(len(x))


# %% wrong: transposed
"""
caught_by: task1_test_a
says: "transposed"
why: multiplies rows by A in place of its transpose

-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     return z @ (L @ U) + shift, packed.diagonal().sum().expand(len(z))
"""

# %% wrong: two_dimensions
"""
caught_by: task1_test_a
says: is it written for two dimensions
why: writes out the formula for two dimensions only

-     L = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
-     U = packed.triu(1) + packed.diagonal().exp().diag()
-     return z @ U.T @ L.T + shift, packed.diagonal().sum().expand(len(z))
+     (a, b), (c, d) = packed
+     x1 = a.exp() * z[:, 0] + b * z[:, 1]
+     x2 = c * x1 + d.exp() * z[:, 1]
+     return torch.stack([x1, x2], 1) + shift, (a + d).expand(len(z))
"""
