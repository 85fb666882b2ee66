"""
task: task2
caught_by: task2_test_a
says: "use slogdet"
why: "takes the logarithm of a determinant that has become 0"
"""


def conv_forward(z, weight):
    log_det = z.shape[2] * z.shape[3] * weight.det().abs().log()
    return torch.einsum("ij,bjhw->bihw", weight, z), log_det.expand(len(z))


def conv_inverse(x, weight):
    log_det = -x.shape[2] * x.shape[3] * weight.det().abs().log()
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(weight), x), log_det.expand(len(x))
