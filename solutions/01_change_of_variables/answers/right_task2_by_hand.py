"""
task: task2
why: writes the Gamma density out and fills in the points inside the support
"""


def log_prob_mpg(x):
    # Gamma(16, rate 2) written out; with z = K / x, |dz/dx| = K / x^2 = z / x.
    out = torch.full_like(x, -math.inf)
    keep = x > 0
    z = LITRES_TO_MILES / x[keep]
    log_base = 16 * math.log(2) - math.lgamma(16) + 15 * torch.log(z) - 2 * z
    out[keep] = log_base + torch.log(z) - torch.log(x[keep])
    return out
