"""
task: task1
caught_by: task1_test_c
says: "what left is put before what stayed"
why: "what left is put before what stayed"
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
        x = unsqueeze(torch.cat([part, x], 1))
    return x
