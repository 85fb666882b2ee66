"""
task: task2
caught_by: task2_test_a
says: "one number for each point, not one for the whole batch"
why: "one number for the batch"
"""


def maf_log_prob(x, layers):
    """log p(x) in nats, (batch,), of a flow with so many layers."""
    log_det = 0
    for layer in range(layers, 0, -1):
        mu, alpha = conditioner(x, layer)
        x = (x - mu) * (-alpha).exp()
        log_det = log_det - alpha.sum(1)
    return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1).mean() + log_det.mean()


def maf_sample(z, layers):
    """x, (batch, D), and log|det dx/dz|, (batch,)."""
    total = 0
    for layer in range(1, layers + 1):
        x = torch.zeros_like(z)
        for _ in range(z.shape[1]):
            mu, alpha = conditioner(x, layer)
            x = z * alpha.exp() + mu
        z, total = x, total + alpha.sum(1)
    return z, total
