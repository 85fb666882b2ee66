"""
task: task3
why: mirrors the noise first; z and -z have the same density, so the draws have it too
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    z = (x.log() - 2.0) / 0.5
    return Normal(0.0, 1.0).log_prob(z) - math.log(0.5) - x.log()


def repaired_draw(z):
    return (1.2 - 0.4 * z).exp()
