"""
task: task3
caught_by: task3_test_b
says: "the velocity is reversed but the clock is not"
why: "the velocity is reversed, the clock is not"
"""


def carry(z, k, steps, from_time, to_time):
    """The points at to_time, (batch, D), and log|det| of the map from start to end, (batch,)."""
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = min(from_time, to_time) + step * abs(h)
        v1, trace1 = field(t, z, k)
        v2, trace2 = field(t + abs(h) / 2, z + h / 2 * v1, k)
        v3, trace3 = field(t + abs(h) / 2, z + h / 2 * v2, k)
        v4, trace4 = field(t + abs(h), z + h * v3, k)
        z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
    return z, log_det
