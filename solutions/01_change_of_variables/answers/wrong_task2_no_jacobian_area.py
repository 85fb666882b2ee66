"""
task: task2
caught_by: task2_test_a
says: a sign or factor in the log-determinant
why: the same mistake, seen by the visible test
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z)
    return torch.where(inside, log_p, -math.inf)
