"""
task: task2
caught_by: task2_test_b
says: the density of something else
why: another Gamma distribution with the peak in the right place
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    shape, rate = torch.tensor([14.0, 0.47], dtype=torch.float64)
    log_p = Gamma(shape, rate).log_prob(safe)
    return torch.where(inside, log_p, -math.inf)
