# %% right: halving
"""
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


# %% right: strings
"""
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


# %% wrong: bit_length
"""
caught_by: task3_test_a
says: "nothing moves"
why: "one bit too many when dim is a power of two: a layer in which all stay"

-     bits = math.ceil(math.log2(dim))
+     bits = dim.bit_length()
"""

# %% wrong: bytes
"""
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


# %% wrong: half_only
"""
caught_by: task3_test_b
says: "never meet"
why: "variables of one half never meet"
"""


def mask_schedule(dim, layers):
    mask = torch.arange(dim) < (dim + 1) // 2
    return [mask, ~mask] * (layers // 2)


# %% wrong: integers
"""
caught_by: task3_test_a
says: "must be boolean"
why: "zeros and ones instead of booleans"

-         mask = (torch.arange(dim) >> (pair % bits)) % 2 == 0
-         masks += [mask, ~mask]
+         mask = (torch.arange(dim) >> (pair % bits)) % 2
+         masks += [1 - mask, mask]
"""

# %% wrong: last_bit_only_once
"""
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


# %% wrong: no_complement
"""
caught_by: task3_test_a
says: "moves neither"
why: "a bit for each layer, without complements"
"""


def mask_schedule(dim, layers):
    bits = math.ceil(math.log2(dim))
    return [(torch.arange(dim) >> (layer % bits)) % 2 == 0 for layer in range(layers)]


# %% wrong: one_at_a_time
"""
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


# %% wrong: one_mask
"""
caught_by: task3_test_a
says: "returned 2 masks"
why: "returns two masks whatever is asked"
"""


def mask_schedule(dim, layers):
    mask = torch.arange(dim) % 2 == 0
    return [mask, ~mask]


# %% wrong: random
"""
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


# %% wrong: rolls
"""
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


# %% wrong: same_mask
"""
caught_by: task3_test_a
says: "moves neither"
why: "the even variables never move"
"""


def mask_schedule(dim, layers):
    return [torch.arange(dim) % 2 == 0] * layers


# %% wrong: too_many_bits
"""
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
