"""
task: task1
caught_by: task1_test_a
says: "units of degree 0 are cut off"
why: "lets no constant unit reach anything"
"""


def made_masks(order, degrees):
    place = torch.argsort(torch.tensor(order))
    first = place < degrees[0][:, None]
    inner = [(a <= b[:, None]) & (a > 0) for a, b in pairwise(degrees)]
    return [first, *inner, (degrees[-1] <= place[:, None]) & (degrees[-1] > 0)]
