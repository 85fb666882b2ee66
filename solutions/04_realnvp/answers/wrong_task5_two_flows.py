"""
task: task5
caught_by: task5_test_a
says: "must come from one flow"
why: "the density of one flow, the noise and the samples of another"
"""

torch.manual_seed(0)
fitted = RealNVP(2, layers=6, hidden=(32, 32))
training.fit(fitted, points, valid, steps=500, lr=5e-3)


torch.manual_seed(1)
other = RealNVP(2, layers=6, hidden=(32, 32))
training.fit(other, points, valid, steps=300, lr=5e-3)


def fitted_log_prob(x):
    with torch.no_grad():
        return fitted.log_prob(x)


def fitted_noise(x):
    with torch.no_grad():
        return other.bijection.inverse(x)[0]


def fitted_sample(n):
    return other.sample(n)
