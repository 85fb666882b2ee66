# %% right: by_hand
"""
why: "own stack, own loop, full batches"

- torch.manual_seed(0)
- fitted = RealNVP(2, layers=6, hidden=(32, 32))
- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ from flowlib.base import StandardNormal
+ from flowlib.bijection import Chain
+ from flowlib.coupling import Coupling
+ from flowlib.flow import Flow
+ from flowlib.nets import MLP
+ from flowlib.scalar import AffineTransformer
+ torch.manual_seed(1)
+ swap = [make_mask(2, "half"), ~make_mask(2, "half")] * 3
+ fitted = Flow(
+     Chain(
+         *(
+             Coupling(2, mask, MLP(1, 2, (48,), activation=torch.nn.Tanh), AffineTransformer(3.0))
+             for mask in swap
+         )
+     ),
+     StandardNormal((2,)),
+ )
+ optimizer = torch.optim.Adam(fitted.parameters(), lr=1e-2)
+ for _ in range(300):
+     optimizer.zero_grad()
+     (-fitted.log_prob(points).mean()).backward()
+     optimizer.step()
+ @torch.no_grad()

-     with torch.no_grad():
-         return fitted.log_prob(x)
+     return fitted.log_prob(x)
"""

# %% right: class
"""
why: "a class of one's own around the flow, and functions made from its methods"
"""


class Fitted:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.flow = RealNVP(2, layers=6, hidden=(32, 32))
        training.fit(self.flow, points, valid, steps=400, lr=5e-3)

    @torch.no_grad()
    def density(self, x):
        return self.flow.log_prob(x)

    @torch.no_grad()
    def noise(self, x):
        return self.flow.path(x, inverse=True)[-1].value


mine = Fitted(5)
fitted_log_prob = mine.density
fitted_noise = mine.noise
fitted_sample = mine.flow.sample

# %% right: spline
"""
why: "splines on standardised points, with the change of units accounted for"

+ from flowlib.models import NSF
  torch.manual_seed(0)
- fitted = RealNVP(2, layers=6, hidden=(32, 32))
- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ centre, width = points.mean(0), points.std(0)
+ fitted = NSF(2, layers=4, hidden=(32, 32), bins=6)
+ training.fit(fitted, (points - centre) / width, (valid - centre) / width, steps=300, lr=5e-3, patience=10)

-         return fitted.log_prob(x)
+         return fitted.log_prob((x - centre) / width) - width.log().sum()

-         return fitted.bijection.inverse(x)[0]
+         return fitted.bijection.inverse((x - centre) / width)[0]

-     return fitted.sample(n)
+     return fitted.sample(n) * width + centre
"""

# %% wrong: bits
"""
caught_by: task5_test_a
says: "the logarithm has base 2"
why: "the density in bits"

-         return fitted.log_prob(x)
+         return fitted.log_prob(x) / math.log(2)
"""

# %% wrong: cold
"""
caught_by: task5_test_b
says: "colder than the density"
why: "samples at temperature 0.9, as for pretty pictures"

-     return fitted.sample(n)
+     return fitted.sample(n, temperature=0.9)
"""

# %% wrong: data_again
"""
caught_by: task5_test_b
says: "repeat themselves"
why: "draws data points"

-     return fitted.sample(n)
+     return points[torch.randint(len(points), (n,))]
"""

# %% wrong: exact
"""
caught_by: task5_test_a
says: "which this task does not allow"
why: "the exact density, nothing learned"
"""


def fitted_log_prob(x):
    return data.banana_log_prob(x)


def fitted_noise(x):
    return torch.stack([x[:, 0] - x[:, 1] ** 2 / 4, x[:, 1] / 2], 1)


def fitted_sample(n):
    x2 = 2 * torch.randn(n)
    return torch.stack([x2**2 / 4 + torch.randn(n), x2], 1)


# %% wrong: formula
"""
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "the banana's formula by hand, nothing learned"
"""


def fitted_log_prob(x):
    x1, x2 = x[:, 0], x[:, 1]
    two = -0.5 * (x2 / 2) ** 2 - math.log(2) - 0.5 * math.log(2 * math.pi)
    one = -0.5 * (x1 - x2**2 / 4) ** 2 - 0.5 * math.log(2 * math.pi)
    return one + two


def fitted_noise(x):
    return torch.stack([x[:, 0] - x[:, 1] ** 2 / 4, x[:, 1] / 2], 1)


def fitted_sample(n):
    x2 = 2 * torch.randn(n)
    return torch.stack([x2**2 / 4 + torch.randn(n), x2], 1)


# %% wrong: formula_behind_a_flow
"""
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


# %% wrong: jittered_data
"""
caught_by: task5_test_b
says: "copies of the data"
why: "training points with a little noise, handed over as samples"

-     return fitted.sample(n)
+     return points[torch.randint(len(points), (n,))] + 0.1 * torch.randn(n, 2)
"""

# %% wrong: kernels
"""
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "a kernel density estimate is no flow"
"""

width_5 = 0.55


def fitted_log_prob(x):
    exponent = torch.cat([-0.5 * (torch.cdist(part, points) / width_5) ** 2 for part in x.split(4000)])
    return torch.logsumexp(exponent, 1) - math.log(len(points) * 2 * math.pi * width_5**2)


def fitted_noise(x):
    return (x - points.mean(0)) / points.std(0)


def fitted_sample(n):
    return points[torch.randint(len(points), (n,))] + width_5 * torch.randn(n, 2)


# %% wrong: kernels_behind_a_flow
"""
caught_by: task5_test_a
says: "must come from one flow"
why: "kernels for density and samples, and a small flow for show"

- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ training.fit(fitted, points, valid, steps=100, lr=5e-3)
+ width_5 = 0.55

-     with torch.no_grad():
-         return fitted.log_prob(x)
+     exponent = torch.cat([-0.5 * (torch.cdist(part, points) / width_5) ** 2 for part in x.split(4000)])
+     return torch.logsumexp(exponent, 1) - math.log(len(points) * 2 * math.pi * width_5**2)

-     return fitted.sample(n)
+     return points[torch.randint(len(points), (n,))] + width_5 * torch.randn(n, 2)
"""

# %% wrong: linear
"""
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "a normal density cannot bend"
"""

mean_5, cov_5 = points.mean(0), torch.cov(points.T)
normal_5 = torch.distributions.MultivariateNormal(mean_5, cov_5)


def fitted_log_prob(x):
    return normal_5.log_prob(x)


def fitted_noise(x):
    return torch.linalg.solve(torch.linalg.cholesky(cov_5), (x - mean_5).T).T


def fitted_sample(n):
    return normal_5.sample((n,))


# %% wrong: log_det_sign
"""
caught_by: task5_test_a
says: "the log-determinant has the wrong sign"
why: "the log-determinant of z -> x"

-         return fitted.log_prob(x)
+         z, log_det = fitted.bijection.inverse(x)
+         return fitted.base.log_prob(z) - log_det
"""

# %% wrong: made_up
"""
caught_by: task5_test_a
says: "does not depend on x"
why: "a made-up likelihood"

- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ training.fit(fitted, points, valid, steps=100, lr=5e-3)

-         return fitted.log_prob(x)
+         return fitted.log_prob(x) * 0 - 3.55
"""

# %% wrong: no_log_det
"""
caught_by: task5_test_a
says: "the log-determinant is left out"
why: "the density of z alone"

-         return fitted.log_prob(x)
+         return fitted.base.log_prob(fitted.bijection.inverse(x)[0])
"""

# %% wrong: noise
"""
caught_by: task5_test_b
says: "plain noise"
why: "plain noise"

-     return fitted.sample(n)
+     return torch.randn(n, 2)
"""

# %% wrong: noise_again
"""
caught_by: task5_test_a
says: "must come from one flow"
why: "pushes x through z -> x again"

-         return fitted.bijection.inverse(x)[0]
+         return fitted.bijection(x)[0]
"""

# %% wrong: noise_is_x
"""
caught_by: task5_test_a
says: "returns x itself"
why: "hands over the points as their own noise"

-     with torch.no_grad():
-         return fitted.bijection.inverse(x)[0]
+     return x.clone()
"""

# %% wrong: one_layer
"""
caught_by: task5_test_b
says: "all layers"
why: "only the first layer"

-     return fitted.sample(n)
+     return fitted.bijection[0](torch.randn(n, 2))[0].detach()
"""

# %% wrong: parabola
"""
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "a least-squares parabola and two normal densities"
"""

powers = torch.stack([points[:, 1] ** k for k in range(3)], 1)
weights_5 = torch.linalg.lstsq(powers, points[:, :1]).solution[:, 0]
rest = (points[:, 0] - powers @ weights_5).std()
mean_5, width_5 = points[:, 1].mean(), points[:, 1].std()


def bend(x2):
    return weights_5[0] + weights_5[1] * x2 + weights_5[2] * x2**2


def fitted_log_prob(x):
    across = torch.distributions.Normal(mean_5, width_5).log_prob(x[:, 1])
    return across + torch.distributions.Normal(bend(x[:, 1]), rest).log_prob(x[:, 0])


def fitted_noise(x):
    return torch.stack([(x[:, 0] - bend(x[:, 1])) / rest, (x[:, 1] - mean_5) / width_5], 1)


def fitted_sample(n):
    x2 = mean_5 + width_5 * torch.randn(n)
    return torch.stack([bend(x2) + rest * torch.randn(n), x2], 1)


# %% wrong: planar
"""
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "planar layers are no coupling layers"

+ from flowlib.models import PlanarFlow
  torch.manual_seed(0)
- fitted = RealNVP(2, layers=6, hidden=(32, 32))
+ fitted = PlanarFlow(2, 16, cheap="density")

-     return fitted.sample(n)
+     with torch.no_grad():
+         return fitted.sample(n)
"""

# %% wrong: plus_constant
"""
caught_by: task5_test_a
says: "off by a constant"
why: "adds half a nat"

- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ training.fit(fitted, points, valid, steps=100, lr=5e-3)

-         return fitted.log_prob(x)
+         return fitted.log_prob(x) + 0.5
"""

# %% wrong: sum
"""
caught_by: task5_test_a
says: "shape"
why: "one number for all points"

- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ training.fit(fitted, points, valid, steps=200, lr=5e-3)

-         return fitted.log_prob(x)
+         return fitted.log_prob(x).sum()
"""

# %% wrong: two_flows
"""
caught_by: task5_test_a
says: "must come from one flow"
why: "the density of one flow, the noise and the samples of another"

+ torch.manual_seed(1)
+ other = RealNVP(2, layers=6, hidden=(32, 32))
+ training.fit(other, points, valid, steps=300, lr=5e-3)
  def fitted_log_prob(x):

-         return fitted.bijection.inverse(x)[0]
+         return other.bijection.inverse(x)[0]

-     return fitted.sample(n)
+     return other.sample(n)
"""

# %% wrong: untrained
"""
caught_by: task5_test_a
says: "is above 3.80"
why: "not trained"

- training.fit(fitted, points, valid, steps=500, lr=5e-3)
+ training.fit(fitted, points, valid, steps=1, lr=5e-3)
"""

# %% wrong: warm
"""
caught_by: task5_test_b
says: "warmer than the density"
why: "samples at temperature 1.1"

-     return fitted.sample(n)
+     return fitted.sample(n, temperature=1.1)
"""

# %% wrong: wrong_way
"""
caught_by: task5_test_b
says: "is noise pushed through"
why: "noise through x -> z"

-     return fitted.sample(n)
+     return fitted.bijection.inverse(torch.randn(n, 2))[0].detach()
"""
