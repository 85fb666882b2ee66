"""
task: task3
caught_by: task3_test_a
says: does the covariance keep two axes
why: torch.cov loses both axes when there is one column
"""


def fit_linear(x):
    shift = x.mean(0)
    return shift, torch.linalg.cholesky(torch.cov(x.T, correction=0))


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
    return log_base - factor.diagonal().log().sum()
