"""
task: task3
caught_by: task3_test_a
says: something is added to its diagonal
why: adds a small ridge to the covariance, so the likelihood is not the greatest
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    ridge = 1e-5 * torch.eye(x.shape[1], dtype=x.dtype)
    return shift, torch.linalg.cholesky(centred.T @ centred / len(x) + ridge)


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
    return log_base - factor.diagonal().log().sum()
