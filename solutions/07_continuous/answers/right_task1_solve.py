"""
task: task1
why: "the trace as a sum of diagonal entries, a linear system for the way back"
"""


def linear_flow(z, A, time):
    E = torch.matrix_exp(time * A)
    growth = sum(A[i, i] for i in range(len(A))) * time
    return (E @ z.T).T, growth.repeat(len(z)).to(z.dtype)


def linear_log_prob(x, A, time):
    z = torch.linalg.solve(torch.matrix_exp(time * A), x.T).T
    _, log_det = linear_flow(z, A, time)
    return (-0.5 * z.square() - math.log(math.sqrt(2 * math.pi))).sum(-1) - log_det
