"""
task: task1
caught_by: task1_test_a
says: "uses torch.linalg.lu"
why: "the determinant by a factorisation"
"""


def linear_flow(z, A, time):
    M = torch.linalg.matrix_exp(A * time)
    _, _, U = torch.linalg.lu(M)
    return z @ M.T, U.diagonal().abs().log().sum().expand(len(z))


def linear_log_prob(x, A, time):
    z, log_det = linear_flow(x, A, -time)
    return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
