"""
task: task3
why: "one augmented state"
"""


def carry(z, k, steps, from_time, to_time):
    def rate(t, y):
        v, trace = field(t, y[:, :-1], k)
        return torch.cat([v, trace[:, None]], 1)

    y = torch.cat([z, z.new_zeros(len(z), 1)], 1)
    grid = [from_time + (to_time - from_time) * n / steps for n in range(steps + 1)]
    for n in range(steps):
        t, following = grid[n], grid[n + 1]
        h = following - t
        k1 = rate(t, y)
        k2 = rate(t + h / 2, y + h * k1 / 2)
        k3 = rate(t + h / 2, y + h * k2 / 2)
        k4 = rate(t + h, y + h * k3)
        y = y + h * (k1 / 6 + k2 / 3 + k3 / 3 + k4 / 6)
    return y[:, :-1], y[:, -1]
