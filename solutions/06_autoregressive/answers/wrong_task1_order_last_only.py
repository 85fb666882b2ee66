"""
task: task1
caught_by: task1_test_b
says: "the first mask is wrong: the order is ignored"
why: "the order reaches the outputs, not the inputs"
"""


def made_masks(order, degrees):
    """Boolean masks, (outputs, inputs), from the first weight matrix to the last."""
    place = torch.argsort(torch.tensor(order))
    first = torch.arange(len(order)) < degrees[0][:, None]
    inner = [before <= after[:, None] for before, after in pairwise(degrees)]
    last = degrees[-1] <= place[:, None]
    return [first, *inner, last]
