"""
task: task2
why: "tensordot, and the eigenvalues of W for its determinant"
"""


def conv_forward(z, weight):
    x = torch.tensordot(weight, z, dims=([1], [1])).transpose(0, 1)
    one = torch.linalg.eigvals(weight).abs().log().sum()
    return x, torch.full((z.shape[0],), float(one * z[0, 0].numel()), dtype=z.dtype)


def conv_inverse(x, weight):
    z, log_det = conv_forward(x, torch.linalg.solve(weight, torch.eye(len(weight), dtype=weight.dtype)))
    return z, log_det
