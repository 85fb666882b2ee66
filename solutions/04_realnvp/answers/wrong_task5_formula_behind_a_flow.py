"""
task: task5
caught_by: task5_test_a
says: "the lesson's formula"
why: "the lesson's formula, and an untrained flow that is not used"
"""

fitted = RealNVP(2)


def fitted_log_prob(x):
    x1, x2 = x[:, 0], x[:, 1]
    two = -0.5 * (x2 / 2) ** 2 - math.log(2) - 0.5 * math.log(2 * math.pi)
    one = -0.5 * (x1 - x2**2 / 4) ** 2 - 0.5 * math.log(2 * math.pi)
    return one + two + 0 * sum(p.sum() for p in fitted.parameters()).detach()


def fitted_noise(x):
    return torch.stack([x[:, 0] - x[:, 1] ** 2 / 4, x[:, 1] / 2], 1)


def fitted_sample(n):
    x2 = 2 * torch.randn(n)
    return torch.stack([x2**2 / 4 + torch.randn(n), x2], 1)
