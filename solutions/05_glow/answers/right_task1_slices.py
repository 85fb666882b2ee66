"""
task: task1
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
