"""
task: task2
caught_by: task2_test_a
says: changes its first argument in place
why: writes a harmless value over the points it was given
"""


def log_prob_mpg(x):
    outside = x <= 0
    x[outside] = 1.0
    log_p = consumption.log_prob(LITRES_TO_MILES / x) + math.log(LITRES_TO_MILES) - 2 * x.log()
    log_p[outside] = -math.inf
    return log_p
