"""
task: task3
caught_by: task3_test_c
says: it belongs to patient A
why: a density that integrates to 1 and belongs to another sampler
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    return log_prob_a(x)


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
