"""
task: task2
caught_by: task2_test_b
says: is not a number
why: leaves the logarithm of a negative number outside the support
"""


def log_prob_mpg(x):
    z = LITRES_TO_MILES / x
    return 16 * math.log(2) - math.lgamma(16) + 15 * z.log() - 2 * z + math.log(LITRES_TO_MILES) - 2 * x.log()
