"""
task: task1
why: "one comparison for all masks, with every level doubled so that it is strict at the input only"
"""


def made_masks(order, degrees):
    place = torch.zeros(len(order), dtype=torch.int64).scatter_(
        0, torch.as_tensor(order), torch.arange(len(order))
    )
    levels = [2 * place + 1, *(2 * d for d in degrees), 2 * place]
    return [torch.ge(above.unsqueeze(1), below.unsqueeze(0)) for below, above in pairwise(levels)]
