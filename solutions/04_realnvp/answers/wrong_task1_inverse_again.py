"""
task: task1
caught_by: task1_test_b
says: "the forward map again"
why: "runs forward again"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    x = z.clone()
    x[:, ~mask] = z[:, ~mask] * s.exp() + t
    return x, s.sum(1)


def coupling_inverse(x, mask):
    z, log_det = coupling_forward(x, mask)
    return z, -log_det
