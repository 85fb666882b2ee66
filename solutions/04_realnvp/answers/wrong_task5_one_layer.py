"""
task: task5
caught_by: task5_test_b
says: "all layers"
why: "only the first layer"
"""

torch.manual_seed(0)
fitted = RealNVP(2, layers=6, hidden=(32, 32))
training.fit(fitted, points, valid, steps=500, lr=5e-3)


def fitted_log_prob(x):
    with torch.no_grad():
        return fitted.log_prob(x)


def fitted_noise(x):
    with torch.no_grad():
        return fitted.bijection.inverse(x)[0]


def fitted_sample(n):
    return fitted.bijection[0](torch.randn(n, 2))[0].detach()
