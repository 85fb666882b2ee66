"""
task: task1
caught_by: task1_test_a
says: "the degrees that are given are not used"
why: "spreads degrees of its own"
"""


def made_masks(order, degrees):
    D = len(order)
    place = torch.argsort(torch.tensor(order))
    mine = [torch.arange(len(units)) % max(D - 1, 1) + (1 if D > 1 else 0) for units in degrees]
    first = place < mine[0][:, None]
    inner = [a <= b[:, None] for a, b in pairwise(mine)]
    return [first, *inner, mine[-1] <= place[:, None]]
