"""
task: task2
caught_by: task2_test_a
says: "which this task does not allow"
why: "calls flowlib's flow"
"""

from flowlib.models import MAF


def maf_log_prob(x, layers):
    return MAF(x.shape[1], layers=layers).to(x.dtype).log_prob(x).detach()


def maf_sample(z, layers):
    x, log_det = MAF(z.shape[1], layers=layers).to(z.dtype).bijection(z)
    return x.detach(), log_det.detach()
