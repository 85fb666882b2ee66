"""
task: task1
why: "a series with squaring; the trace by its diagonal"
"""


def linear_flow(z, A, time):
    # e^M = (e^(M/1024))^1024: a short series, squared ten times, in float64
    M = A.double() * time / 1024
    term = total = torch.eye(len(A), dtype=torch.float64)
    for n in range(1, 14):
        term = term @ M / n
        total = total + term
    for _ in range(10):
        total = total @ total
    x = torch.einsum("ij,bj->bi", total.to(z.dtype), z)
    return x, torch.full_like(z[:, 0], float(time * torch.trace(A)))


def linear_log_prob(x, A, time):
    z = linear_flow(x, A, -time)[0]
    constant = z.shape[1] / 2 * math.log(2 * math.pi)
    return -(z * z).sum(1) / 2 - constant - time * A.diagonal().sum()
