"""
task: task2
caught_by: task2_test_b
says: does an edge of your own
why: draws the edge of the support at about four miles per gallon
"""


def log_prob_mpg(x):
    inside = x > 3.9
    safe = torch.where(inside, x, 10.0)
    log_p = consumption.log_prob(LITRES_TO_MILES / safe) + math.log(LITRES_TO_MILES) - 2 * safe.log()
    return torch.where(inside, log_p, -math.inf)
