"""
task: task3
caught_by: task3_test_b
says: "never meet"
why: "variables of one half never meet"
"""


def mask_schedule(dim, layers):
    mask = torch.arange(dim) < (dim + 1) // 2
    return [mask, ~mask] * (layers // 2)
