"""
task: task1
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
