"""
task: task2
caught_by: task2_test_b
says: the factor 235.2 of the derivative is missing
why: forgets the factor 235.215 of the derivative
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) - 2 * safe.log()
    return torch.where(inside, log_p, -math.inf)
