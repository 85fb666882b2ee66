"""
task: task5
why: "by traces"
"""


def trace_variance(A, noise):
    # Gaussian: tr A A^T + tr A A; signs lack what the diagonal adds
    gaussian = torch.trace(A @ A.T) + torch.trace(A @ A)
    return gaussian - {"gaussian": 0, "rademacher": 2}[noise] * A.diagonal().square().sum()


def probes_needed(A, noise, error):
    return max(-int(-trace_variance(A, noise).item() // error**2), 1)
