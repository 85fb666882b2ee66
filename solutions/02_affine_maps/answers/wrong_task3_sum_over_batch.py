"""
task: task3
caught_by: task3_test_b
says: averaged over the batch
why: gives every row the mean of all
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    return shift, torch.linalg.cholesky(centred.T @ centred / len(x))


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    one = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi) - factor.diagonal().log().sum()
    return one.mean().expand(len(x)).clone()
