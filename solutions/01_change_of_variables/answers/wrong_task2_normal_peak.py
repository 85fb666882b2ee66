"""
task: task2
caught_by: task2_test_a
says: is each x carried back
why: the same, seen by the visible test
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    log_p = Normal(31.36, 8.4).log_prob(safe)
    return torch.where(inside, log_p, -math.inf)
