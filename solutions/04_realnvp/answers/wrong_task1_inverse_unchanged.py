"""
task: task1
caught_by: task1_test_b
says: "comes back unchanged"
why: "returns its input"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp() + t
    return x, s.sum(1)


def coupling_inverse(x, mask):
    s, _ = conditioner(x[:, mask], int((~mask).sum()))
    return x, -s.sum(1)
