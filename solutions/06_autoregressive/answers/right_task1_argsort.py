"""
task: task1
why: "argsort inverts a permutation; a tuple comes back"
"""


def made_masks(order, degrees):
    place = torch.argsort(torch.tensor(order))
    sees = [place + 1, *degrees, place]  # each row sees what has at most its own number
    return tuple(torch.le(a.unsqueeze(0), b.unsqueeze(1)) for a, b in pairwise(sees))
