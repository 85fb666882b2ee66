"""
task: task3
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
