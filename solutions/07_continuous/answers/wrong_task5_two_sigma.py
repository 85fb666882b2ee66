"""
task: task5
caught_by: task5_test_b
says: "two standard deviations are asked"
why: "two standard deviations for one"
"""


def trace_variance(A, noise):
    S = (A + A.T) / 2
    variance = 2 * (S**2).sum()
    return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()


def probes_needed(A, noise, error):
    return max(1, math.ceil(float(trace_variance(A, noise)) / (error / 2) ** 2))
