"""
task: task3
caught_by: task3_test_c
says: stops before the exponential
why: stops before the exponential
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    z = (2.0 - x.log()) / 0.5
    return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()


def repaired_draw(z):
    return 1.2 + 0.4 * z
