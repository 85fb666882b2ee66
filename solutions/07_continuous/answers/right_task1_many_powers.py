"""
task: task1
why: "a short series for a small part of the time, raised to a high power"
"""


def exponential(M):
    n = 2**12
    small, eye = M.double() / n, torch.eye(len(M), dtype=torch.float64)
    step = eye + small @ (eye + small / 2 @ (eye + small / 3 @ (eye + small / 4 @ (eye + small / 5))))
    return torch.linalg.matrix_power(step, n).to(M.dtype)


def linear_flow(z, A, time):
    x = (exponential(A * time) @ z.mT).mT
    return x, z.new_full((z.shape[0],), float(torch.einsum("ii", A)) * time)


def linear_log_prob(x, A, time):
    z, change = linear_flow(x, A, -time)
    return change - (z.square() + math.log(2 * math.pi)).sum(1) / 2
