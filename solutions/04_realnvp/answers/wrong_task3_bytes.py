"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "places in one byte: 256 and 0 get the same masks"
"""


def mask_schedule(dim, layers):
    bits = max(1, math.ceil(math.log2(dim)))
    place = torch.arange(dim).to(torch.uint8)
    masks = []
    for pair in range(layers // 2):
        bit = (place >> (pair % bits) % 8) & 1
        masks += [bit == 0, bit == 1]
    return masks
