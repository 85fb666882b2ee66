"""
task: task1
caught_by: task1_test_a
says: "the image comes back unchanged"
why: "nothing is done"
"""


def squeeze(x):
    batch, channels, height, width = x.shape
    return x


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
