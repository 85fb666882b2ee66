"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "one variable stays: too few layers for all pairs"
"""


def mask_schedule(dim, layers):
    masks = []
    for pair in range(layers // 2):
        mask = torch.arange(dim) == pair % dim
        masks += [mask, ~mask]
    return masks
