"""
task: task2
why: "fills x one variable at a time in the layer's order; log p by recursion"
"""


def maf_log_prob(x, layers):
    if layers == 0:
        return torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(-1)
    mu, alpha = conditioner(x, layers)
    return maf_log_prob((x - mu) / alpha.exp(), layers - 1) - alpha.sum(-1)


def maf_sample(z, layers):
    log_det = z.new_zeros(z.shape[0])
    for layer in range(1, layers + 1):
        columns = range(z.shape[1])
        x = z.clone()
        for i in columns if layer % 2 else reversed(columns):
            mu, alpha = conditioner(x, layer)
            x[:, i] = z[:, i] * alpha[:, i].exp() + mu[:, i]
            log_det += alpha[:, i]
        z = x
    return z, log_det
