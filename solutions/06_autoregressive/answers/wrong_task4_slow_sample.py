"""
task: task4
caught_by: task4_test_b
says: "uses slow_sample"
why: "returns the naive loop, and a made-up number for its multiplications"
"""


def fast_sample(z, W, b, V, c, degrees):
    """x, (batch, D), and log|det dx/dz|, (batch,), with the multiplications of one pass."""
    return slow_sample(z, W, b, V, c, degrees)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    return 3 * len(z) * W.numel()
