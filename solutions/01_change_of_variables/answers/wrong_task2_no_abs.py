"""
task: task2
caught_by: task2_test_a
says: negative slope
why: the log of the negative derivative is not a number
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + torch.log(-LITRES_TO_MILES / safe**2)
    return torch.where(inside, log_p, -math.inf)
