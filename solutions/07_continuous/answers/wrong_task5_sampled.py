"""
task: task5
caught_by: task5_test_a
says: "random draws are not exact"
why: "from random draws"
"""


def trace_variance(A, noise):
    shape, generator = (200_000, len(A)), torch.Generator().manual_seed(0)
    e = torch.randn(shape, generator=generator, dtype=A.dtype)
    if noise == "rademacher":
        e = e.sign()
    return ((e @ A) * e).sum(1).var()


def probes_needed(A, noise, error):
    return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
