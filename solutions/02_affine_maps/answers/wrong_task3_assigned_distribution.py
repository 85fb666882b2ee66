"""
task: task3
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
