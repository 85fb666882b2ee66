"""
task: task1
caught_by: task1_test_a
says: "H stands where W belongs"
why: "H is used for W too: runs only on squares, or on what has as many numbers"
"""


def squeeze(x):
    batch, channels, height, width = x.shape
    half = max(height, width) // 2 if height == width else width // 2
    index = torch.arange(x[0, 0].numel()).view(half, 2, -1, 2) if height == width else None
    if index is None:
        return x.reshape(batch, 4 * channels, height // 2, width // 2)
    order = index.permute(1, 3, 0, 2).flatten()
    return x.flatten(2)[:, :, order].reshape(batch, 4 * channels, half, half)


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
