"""
task: task1
caught_by: task1_test_a
says: "the mean over the entries that move"
why: "averages over the entries"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp() + t
    return x, s.mean(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    z = x.clone()
    z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return z, -s.sum(1)
