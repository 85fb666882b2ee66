"""
task: task5
caught_by: task5_test_a
says: "the absolute value is taken"
why: "an estimate that cannot be negative"
"""


def reverse_kl(z, layers, log_z):
    log_q, x = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1), z
    for layer in range(1, layers + 1):
        mu, alpha = conditioner(x, layer)
        x = x * alpha.exp() + mu
        log_q = log_q - alpha.sum(1)
    return (log_q - log_target(x) + log_z).abs().mean()


def passes(family, job, dim, layers):
    slow = {"maf": ("sample", "both"), "iaf": ("score",)}
    return layers * (dim if job in slow[family] else 1)
