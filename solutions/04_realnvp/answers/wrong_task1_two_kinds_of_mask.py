"""
task: task1
caught_by: task1_test_a
says: "every mask"
why: "knows blocks and alternating masks only"
"""


def parts(mask):
    # a mask is either a block at one end, or every second place
    D, k = len(mask), int(mask.sum())
    if bool(mask[:k].all()):
        return torch.arange(k), torch.arange(k, D)
    if bool(mask[D - k :].all()):
        return torch.arange(D - k, D), torch.arange(D - k)
    first = 0 if bool(mask[0]) else 1
    return torch.arange(first, D, 2), torch.arange(1 - first, D, 2)


def coupling_forward(z, mask):
    stay, move = parts(mask)
    s, t = conditioner(z[:, stay], len(move))
    x = z.clone()
    x[:, move] = z[:, move] * s.exp() + t
    return x, s.sum(1)


def coupling_inverse(x, mask):
    stay, move = parts(mask)
    s, t = conditioner(x[:, stay], len(move))
    z = x.clone()
    z[:, move] = (x[:, move] - t) * (-s).exp()
    return z, -s.sum(1)
