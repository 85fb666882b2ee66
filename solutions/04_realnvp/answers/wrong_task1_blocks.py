"""
task: task1
caught_by: task1_test_a
says: "joined as two blocks"
why: "joins the parts as two blocks: right in two dimensions only"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    return torch.cat([z[:, mask], z[:, ~mask] * s.exp() + t], 1), s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    return torch.cat([x[:, mask], (x[:, ~mask] - t) * (-s).exp()], 1), -s.sum(1)
