"""
task: task1
caught_by: task1_test_a
says: "uses Linear"
why: hands the work to flowlib's layer
"""


def layer_of(packed, shift):
    lower = packed.tril(-1) + torch.eye(len(packed), dtype=packed.dtype)
    return Linear.from_matrix(lower @ (packed.triu(1) + packed.diagonal().exp().diag()), shift)


def lu_forward(z, packed, shift):
    return layer_of(packed, shift)(z)


def lu_inverse(x, packed, shift):
    return layer_of(packed, shift).inverse(x)
