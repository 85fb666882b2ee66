"""
task: task2
why: "every column is computed once and kept; the density by einsum"
"""


def maf_log_prob(x, layers):
    out = torch.full_like(x[:, 0], -x.shape[1] / 2 * math.log(2 * math.pi))
    for k in reversed(range(layers)):
        shift, log_scale = conditioner(x, k + 1)
        x = torch.exp(-log_scale) * (x - shift)
        out = out - torch.einsum("bd->b", log_scale)
    return out - x.square().sum(-1) / 2


def maf_sample(z, layers):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(1, layers + 1):
        columns = list(range(z.shape[1])) if k % 2 else list(reversed(range(z.shape[1])))
        known = {}
        for i in columns:
            x = torch.stack([known.get(j, torch.zeros_like(z[:, 0])) for j in range(z.shape[1])], dim=-1)
            shift, log_scale = conditioner(x, k)
            known[i] = torch.addcmul(shift[:, i], z[:, i], log_scale[:, i].exp())
            log_det = log_det + log_scale[:, i]
        z = torch.stack([known[j] for j in range(z.shape[1])], dim=-1)
    return z, log_det
