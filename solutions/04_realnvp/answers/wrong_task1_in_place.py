"""
task: task1
caught_by: task1_test_a
says: "in place"
why: "writes the result into its argument"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    z[:, ~mask] = z[:, ~mask] * s.exp() + t
    return z, s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    x[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return x, -s.sum(1)
