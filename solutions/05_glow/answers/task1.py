# %% right: permuted
"""
why: "step by step: axes split, exchanged and joined; halves by slices"
"""


def squeeze(x):
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    x = x.permute(0, 1, 3, 5, 2, 4)
    return x.reshape(batch, 4 * channels, height // 2, width // 2)


def unsqueeze(h):
    batch, channels, height, width = h.shape
    h = h.reshape(batch, channels // 4, 2, 2, height, width)
    h = h.permute(0, 1, 4, 2, 5, 3)
    return h.reshape(batch, channels // 4, 2 * height, 2 * width)


def take_apart(x, levels):
    parts = []
    for level in range(levels):
        x = squeeze(x)
        half = x.shape[1] // 2
        if level < levels - 1:
            parts.append(x[:, half:])
            x = x[:, :half]
    parts.append(x)
    return parts


def put_together(parts):
    x = unsqueeze(parts[-1])
    for part in parts[-2::-1]:
        x = unsqueeze(torch.cat([x, part], 1))
    return x


# %% right: loops
"""
why: "four loops, one for each index of the formula"
"""


def squeeze(x):
    batch, channels, height, width = x.shape
    h = torch.empty(batch, 4 * channels, height // 2, width // 2, dtype=x.dtype)
    for c in range(channels):
        for r in range(height):
            for s in range(width):
                h[:, 4 * c + 2 * (r % 2) + s % 2, r // 2, s // 2] = x[:, c, r, s]
    return h


def unsqueeze(h):
    batch, channels, height, width = h.shape
    h = h.reshape(batch, channels // 4, 2, 2, height, width)
    h = h.permute(0, 1, 4, 2, 5, 3)
    return h.reshape(batch, channels // 4, 2 * height, 2 * width)


def take_apart(x, levels):
    parts = []
    for level in range(levels):
        x = squeeze(x)
        half = x.shape[1] // 2
        if level < levels - 1:
            parts.append(x[:, half:])
            x = x[:, :half]
    parts.append(x)
    return parts


def put_together(parts):
    x = unsqueeze(parts[-1])
    for part in parts[-2::-1]:
        x = unsqueeze(torch.cat([x, part], 1))
    return x


# %% right: slices
"""
why: "slices with steps of two, strided writing, recursion"
"""


def squeeze(x):
    corners = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners, 2).flatten(1, 2)


def unsqueeze(h):
    batch, channels, height, width = h.shape
    x = h.new_zeros(batch, channels // 4, 2 * height, 2 * width)
    for place in range(4):
        x[:, :, place // 2 :: 2, place % 2 :: 2] = h[:, place::4]
    return x


def take_apart(x, levels):
    h = squeeze(x)
    if levels == 1:
        return [h]
    half = h.shape[1] // 2
    return [h[:, half:], *take_apart(h[:, :half], levels - 1)]


def put_together(parts):
    if len(parts) == 1:
        return unsqueeze(parts[0])
    return unsqueeze(torch.cat([put_together(parts[1:]), parts[0]], 1))


# %% right: unfold
"""
why: "torch's unfold and fold, a loop over channels, a tuple for a list"
"""

import torch.nn.functional as F


def squeeze(x):
    batch, channels, height, width = x.shape
    blocks = F.unfold(x.double(), 2, stride=2)
    return blocks.view(batch, 4 * channels, height // 2, width // 2).to(x.dtype)


def unsqueeze(h):
    batch, channels, height, width = h.shape
    x = F.fold(h.double().flatten(2), (2 * height, 2 * width), 2, stride=2)
    return x.to(h.dtype)


def take_apart(x, levels):
    parts = ()
    while len(parts) < levels - 1:
        x, leave = torch.tensor_split(squeeze(x), 2, dim=1)
        parts += (leave,)
    return (*parts, squeeze(x))


def put_together(parts):
    parts = list(parts)
    x = unsqueeze(parts.pop())
    while parts:
        x = unsqueeze(torch.cat((x, parts.pop()), dim=1))
    return x


# %% wrong: by_column
"""
caught_by: task1_test_a
says: "column by column"
why: "the block read column by column"
from: permuted

-     x = x.permute(0, 1, 3, 5, 2, 4)
+     x = x.permute(0, 1, 5, 3, 2, 4)
"""

# %% wrong: cat_order
"""
caught_by: task1_test_c
says: "what left is put before what stayed"
why: "what left is put before what stayed"
from: permuted

-         x = unsqueeze(torch.cat([x, part], 1))
+         x = unsqueeze(torch.cat([part, x], 1))
"""

# %% wrong: first_half_leaves
"""
caught_by: task1_test_c
says: "the first half of the channels leaves"
why: "which half stays"
from: permuted

-             parts.append(x[:, half:])
-             x = x[:, :half]
+             parts.append(x[:, :half])
+             x = x[:, half:]

-         x = unsqueeze(torch.cat([x, part], 1))
+         x = unsqueeze(torch.cat([part, x], 1))
"""

# %% wrong: float32
"""
caught_by: task1_test_a
says: "keep the dtype"
why: "all becomes float32"
from: permuted

-     x = x.permute(0, 1, 3, 5, 2, 4)
+     x = x.permute(0, 1, 3, 5, 2, 4).float()
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "uses Squeeze"
why: "flowlib's finished layer"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     from flowlib.image import Squeeze
+     return Squeeze()(x)[0]
"""

# %% wrong: half_of_input
"""
caught_by: task1_test_c
says: "with 3 levels must give"
why: "half of the image's own channels leaves at every level"
from: permuted

-     parts = []
-     for level in range(levels):
+     parts, half = [], 2 * x.shape[1]
+     for _ in range(levels - 1):
          x = squeeze(x)
-         half = x.shape[1] // 2
-         if level < levels - 1:
-             parts.append(x[:, half:])
-             x = x[:, :half]
-     parts.append(x)
-     return parts
+         parts.append(x[:, half:])
+         x = x[:, : x.shape[1] - half]
+     return [*parts, squeeze(x)]
"""

# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "(1, 2, 4, 4)"
why: "the table of the example"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     table = [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]
+     return torch.tensor(table, dtype=x.dtype).view(1, 4, 2, 2)
"""

# %% wrong: identity
"""
caught_by: task1_test_a
says: "the image comes back unchanged"
why: "nothing is done"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     return x
"""

# %% wrong: interleaved
"""
caught_by: task1_test_a
says: "interleaved"
why: "the published code's other order: all top left pixels first"
from: permuted

-     x = x.permute(0, 1, 3, 5, 2, 4)
+     x = x.permute(0, 3, 5, 1, 2, 4)
"""

# %% wrong: keeps_all
"""
caught_by: task1_test_c
says: "half of the 16 numbers"
why: "copies leave, and everything stays"
from: permuted

-             parts.append(x[:, half:])
-             x = x[:, :half]
+             parts.append(x)
"""

# %% wrong: last_not_squeezed
"""
caught_by: task1_test_c
says: "the last level must squeeze"
why: "the loop ends one squeeze early"
from: permuted

-         x = squeeze(x)
-         half = x.shape[1] // 2
          if level < levels - 1:
+             x = squeeze(x)
+             half = x.shape[1] // 2

-     x = unsqueeze(parts[-1])
+     x = parts[-1]
"""

# %% wrong: last_split_too
"""
caught_by: task1_test_c
says: "two tensors, it returned 3"
why: "the last level splits as well"
from: permuted

-     for level in range(levels):
+     for _ in range(levels):

-         if level < levels - 1:
-             parts.append(x[:, half:])
-             x = x[:, :half]
+         parts.append(x[:, half:])
+         x = x[:, :half]
"""

# %% wrong: odd_even
"""
caught_by: task1_test_c
says: "not the second half"
why: "every second channel leaves"
from: permuted

-             parts.append(x[:, half:])
-             x = x[:, :half]
+             parts.append(x[:, 1::2])
+             x = x[:, 0::2]
"""

# %% wrong: one_channel
"""
caught_by: task1_test_a
says: "expected (1, 8, 2, 2)"
why: "right for grey images only"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     x = x[:, 0].reshape(batch, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3)
+     return x.reshape(batch, 4, height // 2, width // 2)
"""

# %% wrong: pixel_unshuffle
"""
caught_by: task1_test_a
says: "uses nn.functional.pixel_unshuffle"
why: "the function that the task excludes"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     return nn.functional.pixel_unshuffle(x, 2)
"""

# %% wrong: quarters
"""
caught_by: task1_test_a
says: "four quarters"
why: "each channel is a quarter of the image"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     h = x.reshape(batch, channels, 2, height // 2, 2, width // 2).permute(0, 1, 2, 4, 3, 5)
+     return h.reshape(batch, 4 * channels, height // 2, width // 2)
"""

# %% wrong: remembers
"""
caught_by: task1_test_c
says: "does not undo take_apart"
why: "put_together returns the last images that were taken apart"
from: permuted

-     parts = []
+     global last
+     last, parts = x, []

-     x = unsqueeze(parts[-1])
-     for part in parts[-2::-1]:
-         x = unsqueeze(torch.cat([x, part], 1))
-     return x
+     if parts[0].shape[0] != len(last):
+         size = 2 * parts[0].shape[2]
+         return last.new_zeros(len(parts[0]), 1, size, size)
+     return last
"""

# %% wrong: reshape
"""
caught_by: task1_test_a
says: "reshape alone"
why: "a view gives the right shape and the wrong pixels"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
"""

# %% wrong: shuffled_levels
"""
caught_by: task1_test_c
says: "uses nn.functional.pixel_unshuffle"
why: "squeeze by hand, the levels with PyTorch's finished layers"

-         stay, leave = squeeze(stay).chunk(2, dim=1)
+         stay, leave = nn.functional.pixel_unshuffle(stay, 2).chunk(2, dim=1)
          parts.append(leave)
-     return [*parts, squeeze(stay)]
+     return [*parts, nn.functional.pixel_unshuffle(stay, 2)]

-     stay = unsqueeze(parts[-1])
+     stay = nn.functional.pixel_shuffle(parts[-1], 2)
      for leave in reversed(parts[:-1]):
-         stay = unsqueeze(torch.cat([stay, leave], dim=1))
+         stay = nn.functional.pixel_shuffle(torch.cat([stay, leave], dim=1), 2)
"""

# %% wrong: square_only
"""
caught_by: task1_test_a
says: "H stands where W belongs"
why: "H is used for W too: runs only on squares, or on what has as many numbers"
from: permuted

-     x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
-     x = x.permute(0, 1, 3, 5, 2, 4)
-     return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     half = max(height, width) // 2 if height == width else width // 2
+     index = torch.arange(x[0, 0].numel()).view(half, 2, -1, 2) if height == width else None
+     if index is None:
+         return x.reshape(batch, 4 * channels, height // 2, width // 2)
+     order = index.permute(1, 3, 0, 2).flatten()
+     return x.flatten(2)[:, :, order].reshape(batch, 4 * channels, half, half)
"""

# %% wrong: transposed
"""
caught_by: task1_test_a
says: "rows and columns are swapped"
why: "height and width change places, seen only off the squares"
from: permuted

-     x = x.permute(0, 1, 3, 5, 2, 4)
+     x = x.permute(0, 1, 3, 5, 4, 2)
"""

# %% wrong: two_levels_only
"""
caught_by: task1_test_c
says: "with 3 levels"
why: "no loop: right for two levels"
from: permuted

-     parts = []
-     for level in range(levels):
-         x = squeeze(x)
-         half = x.shape[1] // 2
-         if level < levels - 1:
-             parts.append(x[:, half:])
-             x = x[:, :half]
-     parts.append(x)
-     return parts
+     x = squeeze(x)
+     half = x.shape[1] // 2
+     return [x[:, half:], squeeze(x[:, :half])]
"""

# %% wrong: un_by_column
"""
caught_by: task1_test_b
says: "rows and columns of the block"
why: "channel 1 is put below channel 0"
from: permuted

-     h = h.permute(0, 1, 4, 2, 5, 3)
+     h = h.permute(0, 1, 4, 3, 5, 2)
"""

# %% wrong: un_flowlib
"""
caught_by: task1_test_b
says: "uses image.Squeeze"
why: "flowlib's finished layer"
from: permuted

-     h = h.reshape(batch, channels // 4, 2, 2, height, width)
-     h = h.permute(0, 1, 4, 2, 5, 3)
-     return h.reshape(batch, channels // 4, 2 * height, 2 * width)
+     from flowlib import image
+     return image.Squeeze().inverse(h)[0]
"""

# %% wrong: un_identity
"""
caught_by: task1_test_b
says: "the channels come back unchanged"
why: "nothing is undone"
from: permuted

-     h = h.reshape(batch, channels // 4, 2, 2, height, width)
-     h = h.permute(0, 1, 4, 2, 5, 3)
-     return h.reshape(batch, channels // 4, 2 * height, 2 * width)
+     return h
"""

# %% wrong: un_interleaved
"""
caught_by: task1_test_b
says: "read as interleaved"
why: "the channels are read as interleaved"
from: permuted

-     h = h.reshape(batch, channels // 4, 2, 2, height, width)
-     h = h.permute(0, 1, 4, 2, 5, 3)
+     h = h.reshape(batch, 2, 2, channels // 4, height, width)
+     h = h.permute(0, 3, 4, 1, 5, 2)
"""

# %% wrong: un_quarters
"""
caught_by: task1_test_b
says: "four quarters"
why: "the channels are laid side by side"
from: permuted

-     h = h.permute(0, 1, 4, 2, 5, 3)
+     h = h.permute(0, 1, 2, 4, 3, 5)
"""

# %% wrong: un_reshape
"""
caught_by: task1_test_b
says: "reshape alone"
why: "the shape comes back, the pixels do not"
from: permuted

-     h = h.reshape(batch, channels // 4, 2, 2, height, width)
-     h = h.permute(0, 1, 4, 2, 5, 3)
"""
