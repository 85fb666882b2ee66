# %% right: cov
"""
why: takes torch.cov, mends its shape for one column, and works by components
"""


def fit_linear(x):
    dim = x.shape[1]
    S = torch.cov(x.T, correction=0).reshape(dim, dim)
    return x.mean(dim=0), torch.linalg.cholesky(S)


def linear_log_prob(x, shift, factor):
    rest, log_p = x - shift, 0
    for i in range(x.shape[1]):
        z = (rest[:, i]) / factor[i, i]
        rest = rest - z[:, None] * factor[:, i]
        log_p = log_p - 0.5 * z**2 - 0.5 * math.log(2 * math.pi) - factor[i, i].log()
    return log_p


# %% right: numpy_cov
"""
why: uses the covariance and the factor of NumPy
"""

import numpy as np
from scipy.linalg import solve_triangular


def fit_linear(x):
    data_ = x.numpy().astype(np.float64)
    S = np.atleast_2d(np.cov(data_, rowvar=False, bias=True))
    return torch.tensor(data_.mean(0), dtype=x.dtype), torch.tensor(np.linalg.cholesky(S), dtype=x.dtype)


def linear_log_prob(x, shift, factor):
    L = factor.numpy().astype(np.float64)
    z = solve_triangular(L, (x - shift).numpy().astype(np.float64).T, lower=True)
    value = -0.5 * (z**2).sum(0) - 0.5 * len(L) * np.log(2 * np.pi) - np.log(np.diag(L)).sum()
    return torch.tensor(value, dtype=x.dtype)


# %% right: qr
"""
why: gets the factor from the QR decomposition of the centred data
"""


def fit_linear(x):
    n = len(x)
    shift = x.sum(0) / n
    R = torch.linalg.qr((x - shift) / n**0.5, mode="r").R
    R = R * torch.where(R.diagonal() < 0, -1.0, 1.0).to(R.dtype)[:, None]
    return shift, R.T.contiguous()


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve(factor, (x - shift).unsqueeze(-1)).squeeze(-1)
    dim = x.shape[1]
    return -0.5 * (z.square().sum(1) + dim * math.log(2 * math.pi)) - factor.diagonal().prod().log()


# %% wrong: assigned_distribution
"""
caught_by: task3_test_b
says: uses torch.distributions.MultivariateNormal
why: binds the name of a helper that hands the work to torch.distributions
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    return shift, torch.linalg.cholesky(centred.T @ centred / len(x))


def _score(x, shift, factor):
    return torch.distributions.MultivariateNormal(shift, scale_tril=factor).log_prob(x)


linear_log_prob = _score

# %% wrong: covariance
"""
caught_by: task3_test_a
says: "covariance itself"
why: returns the covariance for its factor

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     return shift, centred.T @ centred / len(x)
"""

# %% wrong: deviations_only
"""
caught_by: task3_test_a
says: "variances only"
why: fits each column by itself

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     return shift, centred.square().mean(0).sqrt().diag()
"""

# %% wrong: dimension
"""
caught_by: task3_test_c
says: its half belongs to each dimension
why: counts the constant once instead of once for each dimension

-     log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
+     log_base = -0.5 * (z**2).sum(1) - math.log(2 * math.pi)
"""

# %% wrong: distributions
"""
caught_by: task3_test_b
says: "uses torch.distributions.MultivariateNormal"
why: hands the work to torch.distributions

-     z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
-     log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
-     return log_base - factor.diagonal().log().sum()
+     return torch.distributions.MultivariateNormal(shift, scale_tril=factor).log_prob(x)
"""

# %% wrong: eps_diagonal
"""
caught_by: task3_test_c
says: something small is added
why: adds a small number inside the logarithm

-     log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
-     return log_base - factor.diagonal().log().sum()
+     return (
+         -0.5 * (z**2).sum(1)
+         - 0.5 * x.shape[1] * math.log(2 * math.pi)
+         - (factor.diagonal() + 1e-8).log().sum()
+     )
"""

# %% wrong: float32
"""
caught_by: task3_test_a
says: "keep the dtype"
why: converts everything to float32

+     x = x.float()
      shift = x.mean(0)
"""

# %% wrong: forward_map
"""
caught_by: task3_test_b
says: "instead of its inverse"
why: multiplies by A where its inverse belongs

-     z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
+     z = (x - shift) @ factor.T
"""

# %% wrong: half_volume
"""
caught_by: task3_test_b
says: "half the log-determinant"
why: takes half the log-determinant of A, as if A were the covariance

-     return log_base - factor.diagonal().log().sum()
+     return log_base - 0.5 * factor.diagonal().log().sum()
"""

# %% wrong: hard_coded
"""
caught_by: task3_test_a
says: "one column"
why: returns the numbers of the visible test

-     shift = x.mean(0)
-     centred = x - shift
-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     S = torch.tensor([[4.8, 4.8], [4.8, 8.0]], dtype=torch.float64)
+     return torch.tensor([3.0, 4.0], dtype=torch.float64), torch.linalg.cholesky(S)
"""

# %% wrong: mean
"""
caught_by: task3_test_b
says: one number for each point
why: averages over the batch

-     return log_base - factor.diagonal().log().sum()
+     return (log_base - factor.diagonal().log().sum()).mean()
"""

# %% wrong: no_constant
"""
caught_by: task3_test_b
says: the constant D/2 log(2 pi) of the base is missing
why: leaves out the constant of the normal density

-     log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
+     log_base = -0.5 * (z**2).sum(1)
"""

# %% wrong: no_volume
"""
caught_by: task3_test_b
says: the log-determinant is left out
why: leaves the log-determinant out

-     return log_base - factor.diagonal().log().sum()
+     return log_base
"""

# %% wrong: not_centred
"""
caught_by: task3_test_a
says: "mean is not taken off"
why: forgets to take off the mean

-     centred = x - shift
+     centred = x
"""

# %% wrong: one_column
"""
caught_by: task3_test_a
says: does the covariance keep two axes
why: torch.cov loses both axes when there is one column

-     centred = x - shift
-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     return shift, torch.linalg.cholesky(torch.cov(x.T, correction=0))
"""

# %% wrong: qr_uncentred
"""
caught_by: task3_test_a
says: the mean is not taken off
why: factorises the data before the mean is taken off
"""


def fit_linear(x):
    shift = x.mean(0)
    R = torch.linalg.qr(x / len(x) ** 0.5).R
    R = R * R.diagonal().sign()[:, None]
    return shift, R.T


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    return -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi) - factor.diagonal().log().sum()


# %% wrong: ridge
"""
caught_by: task3_test_a
says: something is added to its diagonal
why: adds a small ridge to the covariance, so the likelihood is not the greatest

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     ridge = 1e-5 * torch.eye(x.shape[1], dtype=x.dtype)
+     return shift, torch.linalg.cholesky(centred.T @ centred / len(x) + ridge)
"""

# %% wrong: sign
"""
caught_by: task3_test_b
says: the log-determinant has the wrong sign
why: adds the log-determinant of the generating direction

-     return log_base - factor.diagonal().log().sum()
+     return log_base + factor.diagonal().log().sum()
"""

# %% wrong: sum_over_batch
"""
caught_by: task3_test_b
says: averaged over the batch
why: gives every row the mean of all

-     log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
-     return log_base - factor.diagonal().log().sum()
+     one = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi) - factor.diagonal().log().sum()
+     return one.mean().expand(len(x)).clone()
"""

# %% wrong: symmetric_root
"""
caught_by: task3_test_a
says: "not lower triangular"
why: returns the symmetric root, which has the same density

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     eye = torch.eye(x.shape[1], dtype=x.dtype)
+     root, inverse_root = centred.T @ centred / len(x), eye
+     for _ in range(20):  # Denman and Beavers: Newton's square root, for matrices
+         root, inverse_root = (
+             (root + torch.linalg.solve(inverse_root, eye)) / 2,
+             (inverse_root + torch.linalg.solve(root, eye)) / 2,
+         )
+     return shift, root
"""

# %% wrong: unbiased
"""
caught_by: task3_test_a
says: "n - 1"
why: divides by n - 1

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     return shift, torch.linalg.cholesky(centred.T @ centred / (len(x) - 1))
"""

# %% wrong: upper
"""
caught_by: task3_test_a
says: "not lower triangular"
why: returns the upper factor

-     return shift, torch.linalg.cholesky(centred.T @ centred / len(x))
+     return shift, torch.linalg.cholesky(centred.T @ centred / len(x)).T
"""
