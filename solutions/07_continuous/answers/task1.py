# %% right: many_powers
"""
why: "a short series for a small part of the time, raised to a high power"
"""


def exponential(M):
    n = 2**12
    small, eye = M.double() / n, torch.eye(len(M), dtype=torch.float64)
    step = eye + small @ (eye + small / 2 @ (eye + small / 3 @ (eye + small / 4 @ (eye + small / 5))))
    return torch.linalg.matrix_power(step, n).to(M.dtype)


def linear_flow(z, A, time):
    x = (exponential(A * time) @ z.mT).mT
    return x, z.new_full((z.shape[0],), float(torch.einsum("ii", A)) * time)


def linear_log_prob(x, A, time):
    z, change = linear_flow(x, A, -time)
    return change - (z.square() + math.log(2 * math.pi)).sum(1) / 2


# %% right: series
"""
why: "a series with squaring; the trace by its diagonal"
"""


def linear_flow(z, A, time):
    # e^M = (e^(M/1024))^1024: a short series, squared ten times, in float64
    M = A.double() * time / 1024
    term = total = torch.eye(len(A), dtype=torch.float64)
    for n in range(1, 14):
        term = term @ M / n
        total = total + term
    for _ in range(10):
        total = total @ total
    x = torch.einsum("ij,bj->bi", total.to(z.dtype), z)
    return x, torch.full_like(z[:, 0], float(time * torch.trace(A)))


def linear_log_prob(x, A, time):
    z = linear_flow(x, A, -time)[0]
    constant = z.shape[1] / 2 * math.log(2 * math.pi)
    return -(z * z).sum(1) / 2 - constant - time * A.diagonal().sum()


# %% right: solve
"""
why: "the trace as a sum of diagonal entries, a linear system for the way back"
"""


def linear_flow(z, A, time):
    E = torch.matrix_exp(time * A)
    growth = sum(A[i, i] for i in range(len(A))) * time
    return (E @ z.T).T, growth.repeat(len(z)).to(z.dtype)


def linear_log_prob(x, A, time):
    z = torch.linalg.solve(torch.matrix_exp(time * A), x.T).T
    _, log_det = linear_flow(z, A, time)
    return (-0.5 * z.square() - math.log(math.sqrt(2 * math.pi))).sum(-1) - log_det


# %% wrong: all_entries
"""
caught_by: task1_test_a
says: "diagonal only"
why: "adds the whole matrix"

-     return x, (time * A.trace()).expand(len(z))
+     return x, (time * A.sum()).expand(len(z))
"""

# %% wrong: batch_sum
"""
caught_by: task1_test_a
says: "summed over the batch"
why: "summed over the batch"

-     return x, (time * A.trace()).expand(len(z))
+     return x, (len(z) * time * A.trace()).expand(len(z))
"""

# %% wrong: density_at_x
"""
caught_by: task1_test_b
says: "where x came from"
why: "the base at x"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -0.5 * (x**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
"""

# %% wrong: density_forward
"""
caught_by: task1_test_b
says: "forward in time"
why: "carries x forward"

-     z, log_det = linear_flow(x, A, -time)
+     z, log_det = linear_flow(x, A, time)
+     log_det = -log_det
"""

# %% wrong: density_no_constant
"""
caught_by: task1_test_b
says: "log(2 pi) of the base is missing"
why: "no constant"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -0.5 * (z**2).sum(1) + log_det
"""

# %% wrong: density_no_half
"""
caught_by: task1_test_b
says: "the factor 1/2 before"
why: "the base without its 1/2"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -(z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
"""

# %% wrong: density_no_log_det
"""
caught_by: task1_test_b
says: "the log-determinant is left out"
why: "the base only"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
"""

# %% wrong: density_not_log
"""
caught_by: task1_test_b
says: "this is the density itself"
why: "returns the density"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return (-0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det).exp()
"""

# %% wrong: density_one_constant
"""
caught_by: task1_test_b
says: "one dimension"
why: "the constant of one dimension"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -0.5 * (z**2).sum(1) - 0.5 * math.log(2 * math.pi) + log_det
"""

# %% wrong: density_sign
"""
caught_by: task1_test_b
says: "sign of the log-determinant"
why: "subtracts the log-determinant of the way back"

-     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
+     return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) - log_det
"""

# %% wrong: determinant
"""
caught_by: task1_test_a
says: "the logarithm is missing"
why: "returns the determinant"

-     return x, (time * A.trace()).expand(len(z))
+     return x, (time * A.trace()).exp().expand(len(z))
"""

# %% wrong: eigenvectors
"""
caught_by: task1_test_a
says: "uses torch.linalg.eig"
why: "by eigenvectors, of which a matrix may have too few"

-     x = z @ torch.linalg.matrix_exp(A * time).T
-     return x, (time * A.trace()).expand(len(z))
+     values, vectors = torch.linalg.eig(A)
+     E = (vectors @ torch.diag((values * time).exp()) @ torch.linalg.inv(vectors)).real
+     return z @ E.T, (values.real.sum() * time).expand(len(z))
"""

# %% wrong: elementwise
"""
caught_by: task1_test_a
says: "entry by entry"
why: "exp entry by entry"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z @ torch.exp(A * time).T
"""

# %% wrong: float32
"""
caught_by: task1_test_a
says: "keep the dtype"
why: "returns float32 always"

-     return x, (time * A.trace()).expand(len(z))
+     return x.float(), (time * A.trace()).expand(len(z)).float()
"""

# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "x has shape (1, 2)"
why: "the numbers of the example"
"""


def linear_flow(z, A, time):
    return torch.tensor([[-0.3678, 1.1851]]), torch.tensor([0.5])


def linear_log_prob(x, A, time):
    return torch.tensor([-2.8379])


# %% wrong: identity
"""
caught_by: task1_test_a
says: "did not move"
why: "nothing moves"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z
"""

# %% wrong: lu
"""
caught_by: task1_test_a
says: "uses torch.linalg.lu"
why: "the determinant by a factorisation"

-     x = z @ torch.linalg.matrix_exp(A * time).T
-     return x, (time * A.trace()).expand(len(z))
+     M = torch.linalg.matrix_exp(A * time)
+     _, _, U = torch.linalg.lu(M)
+     return z @ M.T, U.diagonal().abs().log().sum().expand(len(z))
"""

# %% wrong: many_euler_steps
"""
caught_by: task1_test_a
says: "nearly right"
why: "a thousand Euler steps: an error of a thousandth"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z
+     for _ in range(1000):
+         x = x + time / 1000 * x @ A.T
"""

# %% wrong: mean
"""
caught_by: task1_test_a
says: "the mean over the dimensions is taken"
why: "mean for sum"

-     return x, (time * A.trace()).expand(len(z))
+     return x, (time * A.diagonal().mean()).expand(len(z))
"""

# %% wrong: no_time
"""
caught_by: task1_test_a
says: "time is missing"
why: "forgets the time in the exponent"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z @ torch.linalg.matrix_exp(A).T
"""

# %% wrong: one_euler_step
"""
caught_by: task1_test_a
says: "Euler step"
why: "the first two terms of the series"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z @ (torch.eye(len(A), dtype=A.dtype) + A * time).T
"""

# %% wrong: scalar
"""
caught_by: task1_test_a
says: "one number for each point"
why: "one number for the whole batch"

-     return x, (time * A.trace()).expand(len(z))
+     return x, time * A.trace()
"""

# %% wrong: sign
"""
caught_by: task1_test_a
says: "sign is flipped"
why: "takes the change of log p for the log-determinant"

-     return x, (time * A.trace()).expand(len(z))
+     return x, (-time * A.trace()).expand(len(z))
"""

# %% wrong: slogdet
"""
caught_by: task1_test_a
says: "slogdet"
why: "the determinant by matrix algebra, which is forbidden"

-     return x, (time * A.trace()).expand(len(z))
+     return x, torch.linalg.slogdet(torch.linalg.matrix_exp(A * time))[1].expand(len(z))
"""

# %% wrong: symmetric_part
"""
caught_by: task1_test_a
says: "the rotation is lost"
why: "the exponential of (A + A^T)/2"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z @ torch.linalg.matrix_exp((A + A.T) / 2 * time).T
"""

# %% wrong: time_without_sign
"""
caught_by: task1_test_a
says: "the sign of the time is lost"
why: "goes forward for a negative time as well"
"""


def linear_flow(z, A, time):
    time = abs(time)
    return z @ torch.linalg.matrix_exp(A * time).T, (time * A.trace()).expand(len(z))


def linear_log_prob(x, A, time):
    E = torch.linalg.matrix_exp(-A * time)
    z = x @ E.T
    return -0.5 * (z**2 + math.log(2 * math.pi)).sum(1) - time * A.trace()


# %% wrong: trace_no_time
"""
caught_by: task1_test_a
says: "integrated over the time"
why: "the trace is not integrated"

-     return x, (time * A.trace()).expand(len(z))
+     return x, A.trace().expand(len(z))
"""

# %% wrong: transposed
"""
caught_by: task1_test_a
says: "transposed"
why: "z @ E instead of z @ E.T"

-     x = z @ torch.linalg.matrix_exp(A * time).T
+     x = z @ torch.linalg.matrix_exp(A * time)
"""
