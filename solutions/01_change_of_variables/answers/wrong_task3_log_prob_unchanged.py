"""
task: task3
caught_by: task3_test_c
says: still returns patient B
why: calls the faulty scorer again
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    return log_prob_b(x)


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
