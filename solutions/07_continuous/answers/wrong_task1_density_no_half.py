"""
task: task1
caught_by: task1_test_b
says: "the factor 1/2 before"
why: "the base without its 1/2"
"""


def linear_flow(z, A, time):
    x = z @ torch.linalg.matrix_exp(A * time).T
    return x, (time * A.trace()).expand(len(z))


def linear_log_prob(x, A, time):
    z, log_det = linear_flow(x, A, -time)
    return -(z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
