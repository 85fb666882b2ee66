"""
task: task2
caught_by: task2_test_b
says: must be -inf, and is a finite number
why: scores negative mileage like positive
"""


def log_prob_mpg(x):
    y = x.abs().clamp_min(1e-9)
    return consumption.log_prob(LITRES_TO_MILES / y) + math.log(LITRES_TO_MILES) - 2 * y.log()
