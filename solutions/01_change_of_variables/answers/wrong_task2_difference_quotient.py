"""
task: task2
caught_by: task2_test_b
says: spoil the tails
why: differentiates the distribution function numerically
"""


def cdf(x):
    return torch.special.gammaincc(torch.tensor(16.0, dtype=torch.float64), 2 * LITRES_TO_MILES / x)


def log_prob_mpg(x):
    h = 1e-5
    safe = torch.where(x > 0, x, 1.0)
    p = (cdf(safe + h) - cdf(safe - h)) / (2 * h)
    return torch.where(x > 0, p.clamp_min(1e-300).log(), -math.inf)
