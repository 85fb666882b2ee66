"""
task: task3
caught_by: task3_test_a
says: "nothing moves"
why: "runs out of bits: all variables stay"
"""


def mask_schedule(dim, layers):
    masks = []
    for pair in range(layers // 2):
        mask = (torch.arange(dim) >> pair) % 2 == 0
        masks += [mask, ~mask]
    return masks
