"""
task: task2
why: "a loop over pixels that adds one log-determinant each"
"""


def conv_forward(z, weight):
    x, log_det = torch.empty_like(z), z.new_zeros(len(z))
    one = torch.linalg.slogdet(weight).logabsdet
    for row in range(z.shape[2]):
        for column in range(z.shape[3]):
            x[:, :, row, column] = z[:, :, row, column] @ weight.T
            log_det = log_det + one
    return x, log_det


def conv_inverse(x, weight):
    return conv_forward(x, weight.inverse())
