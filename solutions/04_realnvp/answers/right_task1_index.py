"""
task: task1
why: "index_select and index_copy, division instead of a negative exponent"
"""


def parts(mask):
    return mask.nonzero().flatten(), (~mask).nonzero().flatten()


def coupling_forward(z, mask):
    stay, move = parts(mask)
    s, t = conditioner(z.index_select(1, stay), len(move))
    moved = z.index_select(1, move) * torch.exp(s) + t
    return z.index_copy(1, move, moved), s.sum(-1)


def coupling_inverse(x, mask):
    stay, move = parts(mask)
    s, t = conditioner(x.index_select(1, stay), len(move))
    moved = (x.index_select(1, move) - t) / torch.exp(s)
    return x.index_copy(1, move, moved), -s.sum(-1)
