"""
task: task3
caught_by: task3_test_a
says: "midpoint steps"
why: "the midpoint rule"
"""


def carry(z, k, steps, from_time, to_time):
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = from_time + step * h
        v, _ = field(t, z, k)
        v, trace = field(t + h / 2, z + h / 2 * v, k)
        z, log_det = z + h * v, log_det + h * trace
    return z, log_det
