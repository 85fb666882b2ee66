"""
task: task2
caught_by: task2_test_a
says: "density of the base at x"
why: "constant model: a standard normal density with nothing moved"
"""


def maf_log_prob(x, layers):
    return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1)


def maf_sample(z, layers):
    return z, torch.zeros(len(z), dtype=z.dtype)
