"""
task: task3
caught_by: task3_test_a
says: "moves neither"
why: "the even variables never move"
"""


def mask_schedule(dim, layers):
    return [torch.arange(dim) % 2 == 0] * layers
