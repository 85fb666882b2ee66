"""
task: task3
caught_by: task3_test_a
says: "the function fails"
why: "written for two dimensions"
"""


def carry(z, k, steps, from_time, to_time):
    h = (to_time - from_time) / steps
    y = torch.stack([z[:, 0], z[:, 1], 0 * z[:, 0]], 1)

    def rate(t, y):
        v, trace = field(t, y[:, :2], k)
        return torch.stack([v[:, 0], v[:, 1], trace], 1)

    for step in range(steps):
        t = from_time + step * h
        k1 = rate(t, y)
        k2 = rate(t + h / 2, y + h / 2 * k1)
        k3 = rate(t + h / 2, y + h / 2 * k2)
        k4 = rate(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y[:, :2], y[:, 2]
