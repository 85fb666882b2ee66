"""
task: task2
why: fills the inside through a boolean mask
"""


def log_prob_mpg(x):
    result = torch.full_like(x, float("-inf"))
    good = x > 0
    z = LITRES_TO_MILES / x[good]
    result[good] = consumption.log_prob(z) + torch.log(z / x[good])
    return result
