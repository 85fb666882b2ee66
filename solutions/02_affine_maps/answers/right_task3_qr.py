"""
task: task3
why: gets the factor from the QR decomposition of the centred data
"""


def fit_linear(x):
    n = len(x)
    shift = x.sum(0) / n
    R = torch.linalg.qr((x - shift) / n**0.5, mode="r").R
    R = R * torch.where(R.diagonal() < 0, -1.0, 1.0).to(R.dtype)[:, None]
    return shift, R.T.contiguous()


def linear_log_prob(x, shift, factor):
    z = torch.linalg.solve(factor, (x - shift).unsqueeze(-1)).squeeze(-1)
    dim = x.shape[1]
    return -0.5 * (z.square().sum(1) + dim * math.log(2 * math.pi)) - factor.diagonal().prod().log()
