"""
task: task1
caught_by: task1_test_c
says: "with 3 levels must give"
why: "half of the image's own channels leaves at every level"
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
    parts, half = [], 2 * x.shape[1]
    for _ in range(levels - 1):
        x = squeeze(x)
        parts.append(x[:, half:])
        x = x[:, : x.shape[1] - half]
    return [*parts, squeeze(x)]


def put_together(parts):
    x = unsqueeze(parts[-1])
    for part in parts[-2::-1]:
        x = unsqueeze(torch.cat([x, part], 1))
    return x
