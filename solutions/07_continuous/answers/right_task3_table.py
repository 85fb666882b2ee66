"""
task: task3
why: "a loop over the rule's table"
"""


def carry(z, k, steps, from_time, to_time):
    size = (to_time - from_time) / steps
    log_det, t = 0 * z.sum(1), from_time
    for _ in range(steps):
        slope, moved, gained = 0.0 * z, z, 0.0
        for node, weight in ((0.0, 1), (0.5, 2), (0.5, 2), (1.0, 1)):
            slope, trace = field(t + node * size, z + node * size * slope, k)
            moved = moved + size * weight / 6 * slope
            gained = gained + size * weight / 6 * trace
        z, log_det, t = moved, log_det + gained, t + size
    return z, log_det
