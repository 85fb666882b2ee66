"""
task: task2
caught_by: task2_test_a
says: "uses stats.invgamma"
why: scipy's finished density
"""

from scipy import stats


def log_prob_mpg(x):
    return torch.from_numpy(stats.invgamma(16, scale=2 * LITRES_TO_MILES).logpdf(x.numpy()))
