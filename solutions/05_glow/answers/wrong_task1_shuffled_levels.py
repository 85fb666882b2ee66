"""
task: task1
caught_by: task1_test_c
says: "uses nn.functional.pixel_unshuffle"
why: "squeeze by hand, the levels with PyTorch's finished layers"
"""


def squeeze(x):
    """(batch, C, H, W) -> (batch, 4 C, H/2, W/2)."""
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return blocks.reshape(batch, 4 * channels, height // 2, width // 2)


def unsqueeze(h):
    """(batch, 4 C, H/2, W/2) -> (batch, C, H, W)."""
    batch, channels, height, width = h.shape
    blocks = h.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(batch, channels // 4, 2 * height, 2 * width)


def take_apart(x, levels):
    """A list of `levels` tensors, in the order in which they leave."""
    parts, stay = [], x
    for _ in range(levels - 1):
        stay, leave = nn.functional.pixel_unshuffle(stay, 2).chunk(2, dim=1)
        parts.append(leave)
    return [*parts, nn.functional.pixel_unshuffle(stay, 2)]


def put_together(parts):
    """The images that `parts` came from, (batch, C, H, W)."""
    stay = nn.functional.pixel_shuffle(parts[-1], 2)
    for leave in reversed(parts[:-1]):
        stay = nn.functional.pixel_shuffle(torch.cat([stay, leave], dim=1), 2)
    return stay
