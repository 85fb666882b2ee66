"""
task: task2
caught_by: task2_test_b
says: "the network has done it already"
why: "turns the variables round between the layers"
"""


def maf_log_prob(x, layers):
    log_det = 0
    for layer in range(layers, 0, -1):
        mu, alpha = conditioner(x, layer)
        x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)
    return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det


def maf_sample(z, layers):
    total = 0
    for layer in range(1, layers + 1):
        x = torch.zeros_like(z)
        for _ in range(z.shape[1]):
            mu, alpha = conditioner(x, layer)
            x = z * alpha.exp() + mu
        z, total = x.flip(1), total + alpha.sum(1)
    return z, total
