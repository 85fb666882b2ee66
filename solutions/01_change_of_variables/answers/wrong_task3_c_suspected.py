"""
task: task3
caught_by: task3_test_b
says: patient C is not
why: suspects the map that decreases, and lets the missing constant pass
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "sign", "D": "healthy"}


def repaired_log_prob(x):
    z = (2.0 - x.log()) / 0.5
    return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
