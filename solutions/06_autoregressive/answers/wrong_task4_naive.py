"""
task: task4
caught_by: task4_test_b
says: "this is the naive loop"
why: "D passes of the whole network"
"""


def fast_sample(z, W, b, V, c, degrees):
    return slow_sample(z, W, b, V, c, degrees)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count
