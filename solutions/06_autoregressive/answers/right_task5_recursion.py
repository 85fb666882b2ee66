"""
task: task5
why: "the density by recursion, the counts from a table"
"""


def drawn(z, layer, layers, log_q):
    if layer > layers:
        return z, log_q
    mu, alpha = conditioner(z, layer)
    return drawn(mu + z * torch.exp(alpha), layer + 1, layers, log_q - torch.sum(alpha, dim=-1))


def reverse_kl(z, layers, log_z):
    base = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    x, log_q = drawn(z, 1, layers, base)
    return float(torch.mean(log_q - (log_target(x) - log_z)))


def passes(family, job, dim, layers):
    table = {
        ("maf", "score"): 1,
        ("maf", "sample"): dim,
        ("maf", "both"): dim,
        ("iaf", "score"): dim,
        ("iaf", "sample"): 1,
        ("iaf", "both"): 1,
    }
    return table[family, job] * layers
