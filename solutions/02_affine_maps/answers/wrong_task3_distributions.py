"""
task: task3
caught_by: task3_test_b
says: "uses torch.distributions.MultivariateNormal"
why: hands the work to torch.distributions
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    return shift, torch.linalg.cholesky(centred.T @ centred / len(x))


def linear_log_prob(x, shift, factor):
    return torch.distributions.MultivariateNormal(shift, scale_tril=factor).log_prob(x)
