"""
task: task3
caught_by: task3_test_a
says: "returned 2 masks"
why: "returns two masks whatever is asked"
"""


def mask_schedule(dim, layers):
    mask = torch.arange(dim) % 2 == 0
    return [mask, ~mask]
