"""
task: task3
why: "the log-determinant as a last column, and a loop over the table"
"""


def carry(z, k, steps, from_time, to_time):
    def rate(t, state):
        v, trace = field(t, state[:, :-1], k)
        return torch.cat([v, trace[:, None]], dim=1)

    state = torch.nn.functional.pad(z, (0, 1))
    h = (to_time - from_time) / steps
    for n in range(steps):
        t, slope, total = from_time + n * h, torch.zeros_like(state), torch.zeros_like(state)
        for node, weight in ((0.0, 1), (0.5, 2), (0.5, 2), (1.0, 1)):
            slope = rate(t + node * h, state + node * h * slope)
            total = total + weight * slope
        state = state + total * (h / 6)
    return state[:, :-1], state[:, -1]
