"""
task: task1
caught_by: task1_test_a
says: "your code raised RuntimeError"
why: "takes for granted that half of the entries move"
"""


def coupling_forward(z, mask):
    half = z.shape[1] // 2
    s, t = conditioner(z[:, mask], half)
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp() + t
    return x, s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    z = x.clone()
    z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return z, -s.sum(1)
