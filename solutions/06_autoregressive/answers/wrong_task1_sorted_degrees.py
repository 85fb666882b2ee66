"""
task: task1
caught_by: task1_test_a
says: "the degrees are sorted"
why: "sorts the degrees, so unit k has another unit's"
"""


def made_masks(order, degrees):
    place = torch.argsort(torch.tensor(order))
    degrees = [units.sort().values for units in degrees]
    first = place < degrees[0][:, None]
    inner = [a <= b[:, None] for a, b in pairwise(degrees)]
    return [first, *inner, degrees[-1] <= place[:, None]]
