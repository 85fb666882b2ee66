"""
task: task1
why: substitutes forwards and backwards, row by row
"""


def lu_forward(z, packed, shift):
    D = packed.shape[0]
    y = [
        sum(packed[i, j] * z[:, j] for j in range(i + 1, D)) + packed[i, i].exp() * z[:, i] for i in range(D)
    ]
    x = [y[i] + sum(packed[i, j] * y[j] for j in range(i)) + shift[i] for i in range(D)]
    return torch.stack(x, 1), z.new_ones(len(z)) * packed.diagonal().sum()


def lu_inverse(x, packed, shift):
    D = packed.shape[0]
    y, z = [], [None] * D
    for i in range(D):
        y.append(x[:, i] - shift[i] - sum(packed[i, j] * y[j] for j in range(i)))
    for i in reversed(range(D)):
        z[i] = (y[i] - sum(packed[i, j] * z[j] for j in range(i + 1, D))) * (-packed[i, i]).exp()
    return torch.stack(z, 1), -x.new_ones(len(x)) * packed.diagonal().sum()
