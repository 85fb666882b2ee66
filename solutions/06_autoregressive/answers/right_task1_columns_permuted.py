"""
task: task1
why: "built in natural order, then the variables are moved to their columns and rows"
"""


def made_masks(order, degrees):
    place = torch.arange(len(order))
    natural_first = degrees[0].reshape(-1, 1) >= place + 1
    natural_last = ~(place.reshape(-1, 1) < degrees[-1])
    first, last = torch.empty_like(natural_first), torch.empty_like(natural_last)
    first[:, order] = natural_first
    last[order] = natural_last
    masks = [first]
    for layer in range(1, len(degrees)):
        masks.append(~(degrees[layer].reshape(-1, 1) < degrees[layer - 1]))
    return masks + [last]
