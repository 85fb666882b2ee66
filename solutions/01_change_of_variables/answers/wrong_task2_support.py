"""
task: task2
caught_by: task2_test_b
says: must be -inf, and is a finite number
why: gives a finite value where there are no cars
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + math.log(LITRES_TO_MILES) - 2 * safe.log()
    return log_p
