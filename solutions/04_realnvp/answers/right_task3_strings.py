"""
task: task3
why: "binary digits as text, the highest first"
"""


def mask_schedule(dim, layers):
    width = len(format(dim - 1, "b"))
    codes = [format(place, "b").zfill(width) for place in range(dim)]
    masks = []
    while len(masks) < layers:
        bit = (len(masks) // 2) % width
        stays = [code[bit] == "1" for code in codes]
        masks += [torch.tensor(stays), torch.tensor([not stay for stay in stays])]
    return masks
