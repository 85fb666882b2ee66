"""
task: task1
why: "one weight at a time"
"""


def made_masks(order, degrees):
    D = len(order)

    def empty(rows, columns):
        return torch.zeros(rows, columns, dtype=torch.bool)

    masks = [empty(len(degrees[0]), D)]
    for k, degree in enumerate(degrees[0].tolist()):
        for variable in order[:degree]:
            masks[0][k, variable] = True
    for before, after in pairwise(degrees):
        mask = empty(len(after), len(before))
        for row, high in enumerate(after.tolist()):
            for k, low in enumerate(before.tolist()):
                mask[row, k] = low <= high
        masks.append(mask)
    last = empty(D, len(degrees[-1]))
    for place, variable in enumerate(order):
        for k, degree in enumerate(degrees[-1].tolist()):
            last[variable, k] = degree <= place
    return masks + [last]
