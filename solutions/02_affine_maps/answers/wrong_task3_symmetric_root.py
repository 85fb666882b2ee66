"""
task: task3
caught_by: task3_test_a
says: "not lower triangular"
why: returns the symmetric root, which has the same density
"""


def fit_linear(x):
    shift = x.mean(0)
    centred = x - shift
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    root, inverse_root = centred.T @ centred / len(x), eye
    for _ in range(20):  # Denman and Beavers: Newton's square root, for matrices
        root, inverse_root = (
            (root + torch.linalg.solve(inverse_root, eye)) / 2,
            (inverse_root + torch.linalg.solve(root, eye)) / 2,
        )
    return shift, root


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve_triangular(factor, (x - shift).T, upper=False).T
    log_base = -0.5 * (z**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
    return log_base - factor.diagonal().log().sum()
