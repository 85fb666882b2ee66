"""
task: task2
caught_by: task2_test_b
says: here the square is missing
why: differentiates 1/x to 1/x
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + math.log(LITRES_TO_MILES) - safe.log()
    return torch.where(inside, log_p, -math.inf)
