"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "all pairs of layers from the third on use one bit"
"""


def mask_schedule(dim, layers):
    bits = max(1, (dim - 1).bit_length())
    masks = []
    for pair in range(layers // 2):
        k = pair if pair < 2 else bits - 1
        mask = (torch.arange(dim) >> min(k, bits - 1)) % 2 == 0
        masks += [mask, ~mask]
    return masks
