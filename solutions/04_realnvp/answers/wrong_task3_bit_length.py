"""
task: task3
caught_by: task3_test_a
says: "nothing moves"
why: "one bit too many when dim is a power of two: a layer in which all stay"
"""


def mask_schedule(dim, layers):
    bits = dim.bit_length()
    masks = []
    for pair in range(layers // 2):
        mask = (torch.arange(dim) >> (pair % bits)) % 2 == 0
        masks += [mask, ~mask]
    return masks
