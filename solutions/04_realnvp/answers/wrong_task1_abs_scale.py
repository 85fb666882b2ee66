"""
task: task1
caught_by: task1_test_a
says: "exp(|s|), always a stretch"
why: "stretches only: the scale is taken as exp of |s|"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.abs().exp() + t
    return x, s.abs().sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    z = x.clone()
    z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return z, -s.sum(1)
