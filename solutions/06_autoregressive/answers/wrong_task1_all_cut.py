"""
task: task1
caught_by: task1_test_a
says: "every weight is cut"
why: "constant: every weight is cut, so nothing can leak"
"""


def made_masks(order, degrees):
    """Boolean masks, (outputs, inputs), from the first weight matrix to the last."""
    place = torch.empty(len(order), dtype=torch.long)
    place[torch.tensor(order)] = torch.arange(len(order))
    first = place < degrees[0][:, None]
    inner = [before <= after[:, None] for before, after in pairwise(degrees)]
    last = degrees[-1] <= place[:, None]
    return [torch.zeros_like(mask) for mask in (first, *inner, last)]
