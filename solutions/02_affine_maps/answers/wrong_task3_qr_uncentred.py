"""
task: task3
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
