"""
task: task3
caught_by: task3_test_a
says: "not lower triangular"
why: returns the symmetric root, which has the same density
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    return shift, vectors @ values.sqrt().diag() @ vectors.T


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
    return log_base - factor.diagonal().log().sum()
