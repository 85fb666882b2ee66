"""
task: task5
caught_by: task5_test_a
says: "the median is taken"
why: "the median of the draws"
"""


def reverse_kl(z, layers, log_z):
    log_q, x = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1), z
    for layer in range(1, layers + 1):
        mu, alpha = conditioner(x, layer)
        x = x * alpha.exp() + mu
        log_q = log_q - alpha.sum(1)
    return (log_q - log_target(x)).median() + log_z


def passes(family, job, dim, layers):
    slow = {"maf": ("sample", "both"), "iaf": ("score",)}
    return layers * (dim if job in slow[family] else 1)
