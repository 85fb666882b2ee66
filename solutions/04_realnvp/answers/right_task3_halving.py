"""
task: task3
why: "halves all groups until each holds one variable"
"""


def mask_schedule(dim, layers):
    splits, groups = [], [list(range(dim))]
    while max(len(group) for group in groups) > 1:
        mask, halves = torch.zeros(dim, dtype=torch.bool), []
        for group in groups:
            middle = (len(group) + 1) // 2
            mask[group[:middle]] = True
            halves += [part for part in (group[:middle], group[middle:]) if part]
        splits.append(mask)
        groups = halves
    pairs = [splits[k % len(splits)] for k in range(layers // 2)]
    return [mask for first in pairs for mask in (first, ~first)]
