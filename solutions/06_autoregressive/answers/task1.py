# %% right: argsort
"""
why: "argsort inverts a permutation; a tuple comes back"
"""


def made_masks(order, degrees):
    place = torch.argsort(torch.tensor(order))
    sees = [place + 1, *degrees, place]  # each row sees what has at most its own number
    return tuple(torch.le(a.unsqueeze(0), b.unsqueeze(1)) for a, b in pairwise(sees))


# %% right: columns_permuted
"""
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


# %% right: levels
"""
why: "one comparison for all masks, with every level doubled so that it is strict at the input only"
"""


def made_masks(order, degrees):
    place = torch.zeros(len(order), dtype=torch.int64).scatter_(
        0, torch.as_tensor(order), torch.arange(len(order))
    )
    levels = [2 * place + 1, *(2 * d for d in degrees), 2 * place]
    return [torch.ge(above.unsqueeze(1), below.unsqueeze(0)) for below, above in pairwise(levels)]


# %% right: loops
"""
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


# %% wrong: all_cut
"""
caught_by: task1_test_a
says: "every weight is cut"
why: "constant: every weight is cut, so nothing can leak"

-     return [first, *inner, last]
+     return [torch.zeros_like(mask) for mask in (first, *inner, last)]
"""

# %% wrong: constants_cut
"""
caught_by: task1_test_a
says: "units of degree 0 are cut off"
why: "lets no constant unit reach anything"
"""


def made_masks(order, degrees):
    place = torch.argsort(torch.tensor(order))
    first = place < degrees[0][:, None]
    inner = [(a <= b[:, None]) & (a > 0) for a, b in pairwise(degrees)]
    return [first, *inner, (degrees[-1] <= place[:, None]) & (degrees[-1] > 0)]


# %% wrong: floats
"""
caught_by: task1_test_a
says: "boolean"
why: "masks of zeros and ones"

-     return [first, *inner, last]
+     return [mask.float() for mask in (first, *inner, last)]
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "which this task does not allow"
why: "takes the masks out of flowlib's network"
"""

from flowlib.nets import MaskedMLP


def made_masks(order, degrees):
    net = MaskedMLP(len(order), 1, [len(units) for units in degrees], order=order)
    return [layer.mask.bool() for layer in net.layers]


# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "(outputs, inputs)"
why: "the example of the statement"
"""


def made_masks(order, degrees):
    first = torch.tensor([[1, 0, 0], [1, 1, 0]]).bool()
    last = torch.tensor([[0, 0], [1, 0], [1, 1]]).bool()
    return [first, last]


# %% wrong: ignores_order
"""
caught_by: task1_test_b
says: "order is ignored"
why: "every order taken for the natural one"

-     place[torch.tensor(order)] = torch.arange(len(order))
+     place = torch.arange(len(order))
"""

# %% wrong: inner_by_first
"""
caught_by: task1_test_b
says: "wrong degrees"
why: "every inner mask compares with the first hidden layer's degrees"

-     inner = [before <= after[:, None] for before, after in pairwise(degrees)]
+     inner = [degrees[0] <= after[:, None] for before, after in pairwise(degrees)]
"""

# %% wrong: inner_strict
"""
caught_by: task1_test_b
says: "own degree"
why: "< between hidden layers"

-     inner = [before <= after[:, None] for before, after in pairwise(degrees)]
+     inner = [before < after[:, None] for before, after in pairwise(degrees)]
"""

# %% wrong: no_masks
"""
caught_by: task1_test_a
says: "no weight is cut"
why: "forbids nothing"

-     return [first, *inner, last]
+     return [torch.ones_like(mask) for mask in (first, *inner, last)]
"""

# %% wrong: one_layer_only
"""
caught_by: task1_test_b
says: "weight matrices"
why: "right for one hidden layer only"

-     return [first, *inner, last]
+     return [first, last]
"""

# %% wrong: order_as_place
"""
caught_by: task1_test_b
says: "inverse to each other"
why: "order[j] read as the place of j; right for swaps, wrong for cycles"

-     place[torch.tensor(order)] = torch.arange(len(order))
+     place = torch.tensor(order)
"""

# %% wrong: order_backwards
"""
caught_by: task1_test_b
says: "from its end"
why: "counts places from the end"

-     place[torch.tensor(order)] = torch.arange(len(order))
+     place[torch.tensor(order)] = torch.arange(len(order)).flip(0)
"""

# %% wrong: order_last_only
"""
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


# %% wrong: own_degrees
"""
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


# %% wrong: own_first
"""
caught_by: task1_test_a
says: "its own input"
why: "<= where < belongs, at the input"

-     first = place < degrees[0][:, None]
+     first = place <= degrees[0][:, None]
"""

# %% wrong: own_last
"""
caught_by: task1_test_a
says: "its own input"
why: "degrees counted from 1 in the last mask only"

-     last = degrees[-1] <= place[:, None]
+     last = degrees[-1] <= place[:, None] + 1
"""

# %% wrong: reversed
"""
caught_by: task1_test_a
says: "the comparison is turned round"
why: "comparisons turned round"

-     first = place < degrees[0][:, None]
+     first = place > degrees[0][:, None]
      inner = [before <= after[:, None] for before, after in pairwise(degrees)]
-     last = degrees[-1] <= place[:, None]
+     last = degrees[-1] >= place[:, None]
"""

# %% wrong: sorted_degrees
"""
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


# %% wrong: strict_first
"""
caught_by: task1_test_a
says: "places count from 0"
why: "counts places from 1"

-     first = place < degrees[0][:, None]
+     first = place + 1 < degrees[0][:, None]
"""

# %% wrong: strict_last
"""
caught_by: task1_test_a
says: "cuts too much"
why: "a second < on the way: nothing leaks, much is lost"

-     last = degrees[-1] <= place[:, None]
+     last = degrees[-1] < place[:, None]
"""

# %% wrong: transposed
"""
caught_by: task1_test_a
says: "(outputs, inputs)"
why: "inputs along the rows"

-     return [first, *inner, last]
+     return [mask.T for mask in (first, *inner, last)]
"""
