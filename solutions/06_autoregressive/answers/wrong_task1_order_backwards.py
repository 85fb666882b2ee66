"""
task: task1
caught_by: task1_test_b
says: "from its end"
why: "counts places from the end"
"""


def made_masks(order, degrees):
    """Boolean masks, (outputs, inputs), from the first weight matrix to the last."""
    place = torch.empty(len(order), dtype=torch.long)
    place[torch.tensor(order)] = torch.arange(len(order)).flip(0)
    first = place < degrees[0][:, None]
    inner = [before <= after[:, None] for before, after in pairwise(degrees)]
    last = degrees[-1] <= place[:, None]
    return [first, *inner, last]
