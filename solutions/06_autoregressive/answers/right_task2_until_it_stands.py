"""
task: task2
why: "repeats until x no longer changes; log_det is taken at the finished x"
"""


def base(z):
    return -(z * z).sum(1) / 2 - z.shape[1] / 2 * math.log(2 * math.pi)


def back(x, layers):
    log_det = torch.zeros_like(x[:, 0])
    for layer in reversed(range(1, layers + 1)):
        mu, alpha = conditioner(x, layer)
        x = (x - mu) * torch.exp(-alpha)
        log_det = log_det - alpha.sum(1)
    return x, log_det


def maf_log_prob(x, layers):
    z, log_det = back(x, layers)
    return base(z) + log_det


def maf_sample(z, layers):
    x = z
    for layer in range(1, layers + 1):
        start, guess = x, x
        while True:
            mu, alpha = conditioner(guess, layer)
            better = start * alpha.exp() + mu
            if torch.equal(better, guess):
                break
            guess = better
        x = guess
    return x, -back(x, layers)[1]
