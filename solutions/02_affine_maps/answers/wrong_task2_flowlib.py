"""
task: task2
caught_by: task2_test_a
says: "uses Linear.from_matrix"
why: builds the stack from flowlib's layers
"""


def stack_of(matrices, shifts, slope):
    from flowlib.bijection import Chain

    layers = []
    for matrix, shift in zip(matrices, shifts, strict=True):
        layers += [Linear.from_matrix(matrix, shift), LeakyReLU(slope)]
    return Chain(*layers[:-1])


def stack_forward(z, matrices, shifts, slope):
    return stack_of(matrices, shifts, slope)(z)


def stack_inverse(x, matrices, shifts, slope):
    return stack_of(matrices, shifts, slope).inverse(x)
