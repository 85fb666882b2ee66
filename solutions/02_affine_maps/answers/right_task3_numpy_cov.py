"""
task: task3
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
