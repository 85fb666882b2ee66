"""
task: task5
caught_by: task5_test_a
says: "the log-determinant has the wrong sign"
why: "the log-determinant of z -> x"
"""

torch.manual_seed(0)
fitted = RealNVP(2, layers=6, hidden=(32, 32))
training.fit(fitted, points, valid, steps=500, lr=5e-3)


def fitted_log_prob(x):
    with torch.no_grad():
        z, log_det = fitted.bijection.inverse(x)
        return fitted.base.log_prob(z) - log_det


def fitted_noise(x):
    with torch.no_grad():
        return fitted.bijection.inverse(x)[0]


def fitted_sample(n):
    return fitted.sample(n)
