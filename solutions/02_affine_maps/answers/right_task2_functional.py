"""
task: task2
why: uses torch's leaky_relu and collects the terms in a list
"""


def stack_forward(z, matrices, shifts, slope):
    terms, last = [], len(matrices) - 1
    for k, (matrix, shift) in enumerate(zip(matrices, shifts, strict=True)):
        z = torch.addmm(shift, z, matrix.T)
        terms.append(matrix.det().abs().log().repeat(len(z)))
        if k != last:
            terms.append(z.lt(0).to(z.dtype).sum(1) * math.log(slope))
            z = torch.nn.functional.leaky_relu(z, slope)
    return z, torch.stack(terms).sum(0)


def stack_inverse(x, matrices, shifts, slope):
    terms = []
    for k, (matrix, shift) in reversed(list(enumerate(zip(matrices, shifts, strict=True)))):
        if k != len(matrices) - 1:
            x = torch.nn.functional.leaky_relu(x, 1 / slope)
            terms.append(x.lt(0).to(x.dtype).sum(1) * -math.log(slope))
        x = torch.linalg.solve(matrix, (x - shift).T).T
        terms.append(-matrix.det().abs().log().repeat(len(x)))
    return x, torch.stack(terms).sum(0)
