"""
task: task5
caught_by: task5_test_a
says: "divided by the squared trace"
why: "the variance of the relative error"
"""


def trace_variance(A, noise):
    S = (A + A.T) / 2
    variance = 2 * (S**2).sum()
    variance = variance / A.trace() ** 2
    return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()


def probes_needed(A, noise, error):
    return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
