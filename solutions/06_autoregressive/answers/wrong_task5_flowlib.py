"""
task: task5
caught_by: task5_test_a
says: "which this task does not allow"
why: "samples from flowlib's IAF"
"""

from flowlib.models import IAF


def reverse_kl(z, layers, log_z):
    flow = IAF(z.shape[1], layers=layers).to(z.dtype)
    x, log_q = flow.sample_with_log_prob(len(z))
    return float((log_q - log_target(x)).mean()) + log_z


def passes(family, job, dim, layers):
    return layers
