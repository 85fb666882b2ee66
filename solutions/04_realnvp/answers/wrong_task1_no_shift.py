"""
task: task1
caught_by: task1_test_a
says: "shift t is missing"
why: "forgets the shift"
"""


def coupling_forward(z, mask):
    s, _ = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp()
    return x, s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    z = x.clone()
    z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return z, -s.sum(1)
