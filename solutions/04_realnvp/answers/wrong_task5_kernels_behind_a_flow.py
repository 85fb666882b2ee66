"""
task: task5
caught_by: task5_test_a
says: "must come from one flow"
why: "kernels for density and samples, and a small flow for show"
"""

torch.manual_seed(0)
fitted = RealNVP(2, layers=6, hidden=(32, 32))
training.fit(fitted, points, valid, steps=100, lr=5e-3)


width_5 = 0.55


def fitted_log_prob(x):
    exponent = torch.cat([-0.5 * (torch.cdist(part, points) / width_5) ** 2 for part in x.split(4000)])
    return torch.logsumexp(exponent, 1) - math.log(len(points) * 2 * math.pi * width_5**2)


def fitted_noise(x):
    with torch.no_grad():
        return fitted.bijection.inverse(x)[0]


def fitted_sample(n):
    return points[torch.randint(len(points), (n,))] + width_5 * torch.randn(n, 2)
