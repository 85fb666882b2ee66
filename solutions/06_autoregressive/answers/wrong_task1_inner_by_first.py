"""
task: task1
caught_by: task1_test_b
says: "wrong degrees"
why: "every inner mask compares with the first hidden layer's degrees"
"""


def made_masks(order, degrees):
    """Boolean masks, (outputs, inputs), from the first weight matrix to the last."""
    place = torch.empty(len(order), dtype=torch.long)
    place[torch.tensor(order)] = torch.arange(len(order))
    first = place < degrees[0][:, None]
    inner = [degrees[0] <= after[:, None] for before, after in pairwise(degrees)]
    last = degrees[-1] <= place[:, None]
    return [first, *inner, last]
