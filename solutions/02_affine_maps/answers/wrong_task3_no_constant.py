"""
task: task3
caught_by: task3_test_b
says: the constant D/2 log(2 pi) of the base is missing
why: leaves out the constant of the normal density
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    return shift, torch.linalg.cholesky(centred.T @ centred / len(x))


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    log_base = -0.5 * (z**2).sum(1)
    return log_base - factor.diagonal().log().sum()
