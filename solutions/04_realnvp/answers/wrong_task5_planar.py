"""
task: task5
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "planar layers are no coupling layers"
"""

from flowlib.models import PlanarFlow

torch.manual_seed(0)
fitted = PlanarFlow(2, 16, cheap="density")
training.fit(fitted, points, valid, steps=500, lr=5e-3)


def fitted_log_prob(x):
    with torch.no_grad():
        return fitted.log_prob(x)


def fitted_noise(x):
    with torch.no_grad():
        return fitted.bijection.inverse(x)[0]


def fitted_sample(n):
    with torch.no_grad():
        return fitted.sample(n)
