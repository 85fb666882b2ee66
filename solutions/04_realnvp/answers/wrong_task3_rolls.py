"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "halves that move on by one place"
"""


def mask_schedule(dim, layers):
    masks = []
    for pair in range(layers // 2):
        mask = torch.roll(torch.arange(dim) < (dim + 1) // 2, pair)
        masks += [mask, ~mask]
    return masks
