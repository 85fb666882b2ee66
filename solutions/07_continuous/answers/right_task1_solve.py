"""
task: task1
why: "eigenvalues for the trace, a linear system for the way back"
"""


def linear_flow(z, A, time):
    E = torch.matrix_exp(time * A)
    growth = torch.linalg.eigvals(A).real.sum() * time  # the trace is the sum of the eigenvalues
    return (E @ z.T).T, growth.repeat(len(z)).to(z.dtype)


def linear_log_prob(x, A, time):
    z = torch.linalg.solve(torch.matrix_exp(time * A), x.T).T
    _, log_det = linear_flow(z, A, time)
    return (-0.5 * z.square() - math.log(math.sqrt(2 * math.pi))).sum(-1) - log_det
