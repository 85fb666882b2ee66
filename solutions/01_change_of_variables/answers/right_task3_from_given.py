"""
task: task3
why: mends the given functions by what is too much in them
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    return log_prob_b(x) - 2 * (math.log(0.5) + torch.log(x))


def repaired_draw(z):
    return torch.exp(z * 0.4 + 1.2)
