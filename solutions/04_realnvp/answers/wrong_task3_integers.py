"""
task: task3
caught_by: task3_test_a
says: "must be boolean"
why: "zeros and ones instead of booleans"
"""


def mask_schedule(dim, layers):
    bits = math.ceil(math.log2(dim))
    masks = []
    for pair in range(layers // 2):
        mask = (torch.arange(dim) >> (pair % bits)) % 2
        masks += [1 - mask, mask]
    return masks
