"""
task: task3
caught_by: task3_test_a
says: "moves neither"
why: "a bit for each layer, without complements"
"""


def mask_schedule(dim, layers):
    bits = math.ceil(math.log2(dim))
    return [(torch.arange(dim) >> (layer % bits)) % 2 == 0 for layer in range(layers)]
