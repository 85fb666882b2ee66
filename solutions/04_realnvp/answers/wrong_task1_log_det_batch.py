"""
task: task1
caught_by: task1_test_a
says: "one number for each point"
why: "one number for the whole batch"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp() + t
    return x, s.sum()


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    z = x.clone()
    z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return z, -s.sum(1)
