"""
task: task3
caught_by: task3_test_a
says: "Euler steps"
why: "Euler"
"""


def carry(z, k, steps, from_time, to_time):
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = from_time + step * h
        v, trace = field(t, z, k)
        z, log_det = z + h * v, log_det + h * trace
    return z, log_det
