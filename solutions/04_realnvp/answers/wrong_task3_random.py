"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "random halves: some pairs never meet"
"""


def mask_schedule(dim, layers):
    masks = []
    for pair in range(layers // 2):
        order = torch.randperm(dim, generator=torch.Generator().manual_seed(pair))
        mask = torch.zeros(dim, dtype=torch.bool)
        mask[order[: dim // 2]] = True
        masks += [mask, ~mask]
    return masks
