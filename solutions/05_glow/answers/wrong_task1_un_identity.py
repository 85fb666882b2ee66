"""
task: task1
caught_by: task1_test_b
says: "the channels come back unchanged"
why: "nothing is undone"
"""


def squeeze(x):
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // 2, 2, width // 2, 2)
    x = x.permute(0, 1, 3, 5, 2, 4)
    return x.reshape(batch, 4 * channels, height // 2, width // 2)


def unsqueeze(h):
    batch, channels, height, width = h.shape
    return h


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
