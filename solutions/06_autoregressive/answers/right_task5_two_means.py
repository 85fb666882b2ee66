"""
task: task5
why: "energy minus entropy, as a NumPy-like pair of means"
"""


def reverse_kl(z, layers, log_z):
    D = z.shape[-1]
    entropy = 0.5 * z.square().sum(1).mean() + D / 2 * math.log(2 * math.pi)
    x = z
    for k in range(layers):
        mu, alpha = conditioner(x, k + 1)
        entropy = entropy + alpha.sum(1).mean()
        x = torch.exp(alpha) * x + mu
    energy = -(log_target(x)).mean()
    return torch.tensor([float(energy - entropy + log_z)], dtype=torch.float64)


def passes(family, job, dim, layers):
    if family == "maf":
        return layers if job == "score" else layers * dim
    return layers * dim if job == "score" else layers
