# %% right: class
"""
why: makes a list of small layers with forward and inverse
"""


class Affine2:
    def __init__(self, A, b):
        self.A, self.b = A, b

    def forward(self, z):
        return torch.nn.functional.linear(z, self.A, self.b), torch.linalg.slogdet(self.A)[1].expand(len(z))

    def inverse(self, x):
        return (torch.linalg.inv(self.A) @ (x - self.b).T).T, -torch.linalg.slogdet(self.A)[1].expand(len(x))


class Kink:
    def __init__(self, s):
        self.s = s

    def forward(self, z):
        return torch.nn.functional.leaky_relu(z, self.s), torch.where(z < 0, math.log(self.s), 0.0).to(z).sum(
            -1
        )

    def inverse(self, x):
        z = torch.nn.functional.leaky_relu(x, 1 / self.s)
        return z, -self.forward(z)[1]


def _layers(matrices, shifts, slope):
    out = []
    for A, b in zip(matrices, shifts, strict=True):
        out += [Affine2(A, b), Kink(slope)]
    return out[:-1]


def stack_forward(z, matrices, shifts, slope):
    total = 0
    for layer in _layers(matrices, shifts, slope):
        z, term = layer.forward(z)
        total = total + term
    return z, total


def stack_inverse(x, matrices, shifts, slope):
    total = 0
    for layer in _layers(matrices, shifts, slope)[::-1]:
        x, term = layer.inverse(x)
        total = total + term
    return x, total


# %% right: functional
"""
why: uses torch's leaky_relu and collects the terms in a list
"""


def stack_forward(z, matrices, shifts, slope):
    terms, last = [], len(matrices) - 1
    for k, (matrix, shift) in enumerate(zip(matrices, shifts, strict=True)):
        z = torch.addmm(shift, z, matrix.T)
        terms.append(matrix.det().abs().log().repeat(len(z)))
        if k != last:
            terms.append(z.lt(0).to(z.dtype).sum(1) * math.log(slope))
            z = torch.nn.functional.leaky_relu(z, slope)
    return z, torch.stack(terms).sum(0)


def stack_inverse(x, matrices, shifts, slope):
    terms = []
    for k, (matrix, shift) in reversed(list(enumerate(zip(matrices, shifts, strict=True)))):
        if k != len(matrices) - 1:
            x = torch.nn.functional.leaky_relu(x, 1 / slope)
            terms.append(x.lt(0).to(x.dtype).sum(1) * -math.log(slope))
        x = torch.linalg.solve(matrix, (x - shift).T).T
        terms.append(-matrix.det().abs().log().repeat(len(x)))
    return x, torch.stack(terms).sum(0)


# %% right: recursive
"""
why: takes off one layer and calls itself
"""


def stack_forward(z, matrices, shifts, slope):
    y = z @ matrices[0].T + shifts[0]
    volume = torch.linalg.slogdet(matrices[0]).logabsdet.expand(len(z))
    if len(matrices) == 1:
        return y, volume
    stretch = torch.where(y < 0, torch.full_like(y, slope), torch.ones_like(y))
    x, rest = stack_forward(y * stretch, matrices[1:], shifts[1:], slope)
    return x, volume + stretch.log().sum(1) + rest


def stack_inverse(x, matrices, shifts, slope):
    if len(matrices) > 1:
        y, rest = stack_inverse(x, matrices[1:], shifts[1:], slope)
        stretch = torch.where(y < 0, torch.full_like(y, slope), torch.ones_like(y))
        y, rest = y / stretch, rest - stretch.log().sum(1)
    else:
        y, rest = x, torch.zeros_like(x[:, 0])
    z = (y - shifts[0]) @ torch.linalg.inv(matrices[0]).T
    return z, rest - torch.linalg.slogdet(matrices[0]).logabsdet


# %% wrong: always_two_layers
"""
caught_by: task2_test_a
says: only the first two layers are applied
why: is written out for two layers

-     log_det = torch.zeros_like(z[:, 0])
-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
-         if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
-             z = torch.where(z < 0, slope * z, z)
-     return z, log_det
+     y = z @ matrices[0].T + shifts[0]
+     log_det = torch.linalg.slogdet(matrices[0])[1].expand(len(z)).clone()
+     if len(matrices) == 1:
+         return y, log_det
+     log_det = log_det + math.log(slope) * (y < 0).to(z.dtype).sum(1) + torch.linalg.slogdet(matrices[1])[1]
+     y = torch.where(y < 0, slope * y, y)
+     return y @ matrices[1].T + shifts[1], log_det
"""

# %% wrong: any_negative
"""
caught_by: task2_test_b
says: "counted once"
why: counts a point once however many of its coordinates are negative

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).any(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: det_product
"""
caught_by: task2_test_b
says: leaves the range of the numbers
why: multiplies the determinants and takes one logarithm at the end

-     log_det = torch.zeros_like(z[:, 0])
+     det = torch.ones_like(z[:, 0])

-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+         det = det * torch.linalg.det(A)
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             det = det * torch.where(z < 0, slope, 1.0).to(z.dtype).prod(1)
              z = torch.where(z < 0, slope * z, z)
-     return z, log_det
+     return z, det.abs().log()
"""

# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "uses Linear.from_matrix"
why: builds the stack from flowlib's layers
"""


def stack_of(matrices, shifts, slope):
    from flowlib.bijection import Chain

    layers = []
    for matrix, shift in zip(matrices, shifts, strict=True):
        layers += [Linear.from_matrix(matrix, shift), LeakyReLU(slope)]
    return Chain(*layers[:-1])


def stack_forward(z, matrices, shifts, slope):
    return stack_of(matrices, shifts, slope)(z)


def stack_inverse(x, matrices, shifts, slope):
    return stack_of(matrices, shifts, slope).inverse(x)


# %% wrong: identity
"""
caught_by: task2_test_a
says: "unchanged"
why: returns its input
"""


def stack_forward(z, matrices, shifts, slope):
    return z, torch.zeros(len(z))


def stack_inverse(x, matrices, shifts, slope):
    return x, torch.zeros(len(x))


# %% wrong: inverse_is_forward
"""
caught_by: task2_test_c
says: "forward map again"
why: calls forward again
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(len(matrices)):
        z = z @ matrices[k].T + shifts[k]
        log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.where(z < 0, slope * z, z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    return stack_forward(x, matrices, shifts, slope)


# %% wrong: inverse_kink_first
"""
caught_by: task2_test_c
says: "goes first"
why: undoes the matrix before the leaky ReLU that came after it
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(len(matrices)):
        z = z @ matrices[k].T + shifts[k]
        log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.where(z < 0, slope * z, z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).sum(1)
            x = torch.where(x < 0, x / slope, x)
    return x, log_det


# %% wrong: inverse_order
"""
caught_by: task2_test_c
says: "wrong order"
why: runs the inverse through the layers in forward order
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(len(matrices)):
        z = z @ matrices[k].T + shifts[k]
        log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.where(z < 0, slope * z, z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in range(len(matrices)):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).sum(1)
            x = torch.where(x < 0, x / slope, x)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
    return x, log_det


# %% wrong: inverse_sign
"""
caught_by: task2_test_d
says: "sign is flipped"
why: returns the forward's log-determinant from the inverse

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: kink_after_last
"""
caught_by: task2_test_a
says: "after the last matrix"
why: applies the leaky ReLU after the last matrix as well

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
-         if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
+         if k < len(matrices):
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: kink_not_counted
"""
caught_by: task2_test_b
says: "term is missing"
why: leaves the leaky ReLU out of the log-determinant

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: last_layer_only
"""
caught_by: task2_test_b
says: "only the last matrix"
why: overwrites the sum with the last matrix's term

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = torch.linalg.slogdet(matrices[k])[1].expand(len(z))
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: no_abs
"""
caught_by: task2_test_b
says: the absolute value is missing
why: takes the logarithm of a determinant that may be negative

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.det(matrices[k]).log()
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: no_kink
"""
caught_by: task2_test_a
says: "leaky ReLU is missing"
why: forgets the leaky ReLU

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
-         if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
+         if k < 0:
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: ridge_inverse
"""
caught_by: task2_test_c
says: something small is added
why: adds a small ridge to the system it solves

-         x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         A = matrices[k]
+         x = torch.linalg.solve(A.T @ A + 1e-6 * torch.eye(len(A), dtype=A.dtype), A.T @ (x - shifts[k]).T).T
+         log_det = log_det - torch.linalg.slogdet(A).logabsdet
"""

# %% wrong: slope_below_one
"""
caught_by: task2_test_a
says: the leaky ReLU only where s < 1
why: takes the larger of z and slope * z for the leaky ReLU, which is right only for slopes below one
"""


def stack_forward(z, matrices, shifts, slope):
    log_det = torch.zeros_like(z[:, 0])
    for k, (A, b) in enumerate(zip(matrices, shifts, strict=True)):
        z = z @ A.T + b
        log_det = log_det + torch.linalg.slogdet(A)[1]
        if k < len(matrices) - 1:
            log_det = log_det + math.log(slope) * (z < 0).sum(1)
            z = torch.maximum(z, slope * z)
    return z, log_det


def stack_inverse(x, matrices, shifts, slope):
    log_det = torch.zeros_like(x[:, 0])
    for k in reversed(range(len(matrices))):
        if k < len(matrices) - 1:
            log_det = log_det - math.log(slope) * (x < 0).sum(1)
            x = torch.minimum(x, x / slope)
        x = torch.linalg.solve(matrices[k], (x - shifts[k]).T).T
        log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
    return x, log_det


# %% wrong: slope_not_log
"""
caught_by: task2_test_b
says: "its logarithm belongs"
why: adds the slope where its logarithm belongs

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + slope * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: whole_batch
"""
caught_by: task2_test_b
says: "whole batch"
why: counts the negative entries of the whole batch

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).sum()

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)
+             log_det = log_det - math.log(slope) * (x < 0).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""

# %% wrong: wrong_point
"""
caught_by: task2_test_d
says: "wrong point"
why: counts the negative entries of the point that arrives next, before its kink is undone

-     for k, (A, shift) in enumerate(zip(matrices, shifts, strict=True)):
-         z = z @ A.T + shift
-         log_det = log_det + torch.linalg.slogdet(A).logabsdet
+     for k in range(len(matrices)):
+         z = z @ matrices[k].T + shifts[k]
+         log_det = log_det + torch.linalg.slogdet(matrices[k])[1]
          if k < len(matrices) - 1:
-             log_det = log_det + math.log(slope) * (z < 0).to(z.dtype).sum(1)
+             log_det = log_det + math.log(slope) * (z < 0).sum(1)

-             log_det = log_det - math.log(slope) * (x < 0).to(x.dtype).sum(1)

-         log_det = log_det - torch.linalg.slogdet(matrices[k]).logabsdet
+         log_det = log_det - math.log(slope) * (x < 0).sum(1) * (k < len(matrices) - 1)
+         log_det = log_det - torch.linalg.slogdet(matrices[k])[1]
"""
