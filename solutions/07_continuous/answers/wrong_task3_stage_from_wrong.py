"""
task: task3
caught_by: task3_test_a
says: "the third stage starts from the first velocity"
why: "the third stage starts from the first velocity"
"""


def carry(z, k, steps, from_time, to_time):
    """The points at to_time, (batch, D), and log|det| of the map from start to end, (batch,)."""
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = from_time + step * h
        v1, trace1 = field(t, z, k)
        v2, trace2 = field(t + h / 2, z + h / 2 * v1, k)
        v3, trace3 = field(t + h / 2, z + h / 2 * v1, k)
        v4, trace4 = field(t + h, z + h * v3, k)
        z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
    return z, log_det
