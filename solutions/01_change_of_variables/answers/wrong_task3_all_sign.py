"""
task: task3
caught_by: task3_test_b
says: patient A is not
why: calls every broken flow a wrong sign
"""


def diagnosis():
    return {"A": "sign", "B": "sign", "C": "healthy", "D": "sign"}


def repaired_log_prob(x):
    z = (2.0 - x.log()) / 0.5
    return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
