"""
task: task1
caught_by: task1_test_a
says: "the sign of the time is lost"
why: "goes forward for a negative time as well"
"""


def linear_flow(z, A, time):
    time = abs(time)
    return z @ torch.linalg.matrix_exp(A * time).T, (time * A.trace()).expand(len(z))


def linear_log_prob(x, A, time):
    E = torch.linalg.matrix_exp(-A * time)
    z = x @ E.T
    return -0.5 * (z**2 + math.log(2 * math.pi)).sum(1) - time * A.trace()
