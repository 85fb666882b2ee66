"""
task: task1
caught_by: task1_test_a
says: "the mean over the dimensions is taken"
why: "mean for sum"
"""


def linear_flow(z, A, time):
    """x, (batch, D), and log|det dx/dz|, (batch,)."""
    x = z @ torch.linalg.matrix_exp(A * time).T
    return x, (time * A.diagonal().mean()).expand(len(z))


def linear_log_prob(x, A, time):
    """The log-density of x in nats, (batch,), for a standard normal z."""
    z, log_det = linear_flow(x, A, -time)
    return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
