"""
task: task3
why: gives the diagnosis as a dictionary and not as a function
"""

diagnosis = {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    z = (2.0 - x.log()) / 0.5
    return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
