"""
task: task2
why: divides by the forward derivative, taken at z
"""


def log_prob_mpg(x):
    z = LITRES_TO_MILES / x.clamp_min(1e-300)
    forward_slope = (-LITRES_TO_MILES / z**2).abs()
    log_p = consumption.log_prob(z.clamp(1e-9, 1e9)) - forward_slope.log()
    return log_p.masked_fill(x <= 0, float("-inf"))
