"""
task: task1
caught_by: task1_test_a
says: "uses torch.linalg.eig"
why: "by eigenvectors, of which a matrix may have too few"
"""


def linear_flow(z, A, time):
    values, vectors = torch.linalg.eig(A)
    E = (vectors @ torch.diag((values * time).exp()) @ torch.linalg.inv(vectors)).real
    return z @ E.T, (values.real.sum() * time).expand(len(z))


def linear_log_prob(x, A, time):
    z, log_det = linear_flow(x, A, -time)
    return -0.5 * (z**2).sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi) + log_det
