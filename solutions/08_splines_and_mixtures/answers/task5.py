# %% right: couplings_and_a_loop
"""
why: "spline couplings on [-1, 1], trained by a loop of one's own in batches"
"""

from flowlib.models import RealNVP


class CityFlow:
    def __init__(self, low, high):
        torch.manual_seed(3)
        self.middle, self.half = (low + high) / 2, (high - low) / 2
        curve = SplineTransformer(10, bound=1.0)
        self.flow = RealNVP(
            2, layers=4, hidden=(32, 32), transformer=curve, base=Uniform(-torch.ones(2), torch.ones(2))
        )

    def into(self, x):
        return torch.clamp((x - self.middle) / self.half, -1, 1)

    def train(self, x):
        u = self.into(x)
        optimizer = torch.optim.Adam(self.flow.parameters(), lr=1e-2)
        for step in range(300):
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 * (1 - step / 300)
            loss = -self.flow.log_prob(u[torch.randint(len(u), (1000,))]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def to_square(self, x):
        v, log_det = self.flow.bijection.inverse(self.into(x))
        return torch.clamp(v / 2 + 0.5, 0, 1), log_det - (2 * self.half).log().sum()

    @torch.no_grad()
    def to_city(self, z):
        u, log_det = self.flow.bijection(torch.clamp(2 * z - 1, -1, 1))
        return self.middle + self.half * u, log_det + (2 * self.half).log().sum()


# %% right: neural_spline_flow
"""
why: "NSF with held-out points that choose the weights"

+ from flowlib.models import NSF
  class CityFlow:

-         edge, curve = torch.full((2,), self.bound), SplineTransformer(16, bound=self.bound)
-         self.flow = MAF(2, 1, hidden=(32, 32), transformer=curve, base=Uniform(-edge, edge))
+         edge = torch.full((2,), self.bound)
+         self.flow = NSF(2, layers=4, hidden=(32, 32), base=Uniform(-edge, edge))

-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         training.fit(self.flow, u[500:], u[:500], steps=250, lr=1e-2, progress=False)
"""

# %% wrong: affine
"""
caught_by: task5_test_c
says: "a curve that can make edges"
why: "affine couplings between two fixed bends blur every street"

- class CityFlow:
+ from flowlib.models import RealNVP
+ class CityFlow:

-         edge, curve = torch.full((2,), self.bound), SplineTransformer(16, bound=self.bound)
-         self.flow = MAF(2, 1, hidden=(32, 32), transformer=curve, base=Uniform(-edge, edge))
+         self.flow = RealNVP(2, layers=4, hidden=(32, 32))

-         u = self.bound * (2 * (x - self.low) / self.side - 1)
-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         share = ((x - self.low) / self.side).clamp(1e-5, 1 - 1e-5)
+         training.fit(self.flow, torch.logit(share), steps=300, lr=5e-3, progress=False)

-         u = self.bound * (2 * (x - self.low) / self.side - 1)
+         share = ((x - self.low) / self.side).clamp(1e-5, 1 - 1e-5)
+         normal = torch.distributions.Normal(0.0, 1.0)

-             v, log_det = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+             v, log_det = self.flow.bijection.inverse(torch.logit(share))
+         steep = -(share * (1 - share)).log().sum(1) + normal.log_prob(v).sum(1)
+         return normal.cdf(v), log_det + steep - self.side.log().sum()

-         with torch.no_grad():
-             u, log_det = self.flow.bijection(self.bound * (2 * z - 1))
-         return self.low + self.side * (u / self.bound + 1) / 2, log_det + self.side.log().sum()
+         normal = torch.distributions.Normal(0.0, 1.0)
+         v = normal.icdf(z.double().clamp(1e-7, 1 - 1e-7)).float()
+         with torch.no_grad():
+             u, log_det = self.flow.bijection(v)
+         share = torch.sigmoid(u.double())
+         steep = (share * (1 - share)).log().sum(1).float() - normal.log_prob(v).sum(1)
+         return self.low + self.side * share.float(), log_det + steep + self.side.log().sum()
"""

# %% wrong: asleep
"""
caught_by: task5_test_a
says: "neighbours fall on one z"
why: "metres go straight into the spline, which is the identity there"

-             v, log_det = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
+             v, log_det = self.flow.bijection.inverse(x)
"""

# %% wrong: batch_units
"""
caught_by: task5_test_a
says: "asked alone"
why: "takes the border from the points that are asked"

-         u = self.bound * (2 * (x - self.low) / self.side - 1)
-         with torch.no_grad():
-             v, log_det = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
+         if len(x) > 1:
+             self.low, self.side = x.amin(0), x.amax(0) - x.amin(0)
+         u = self.bound * (2 * (x - x.amin(0)) / self.side - 1)
+         with torch.no_grad():
+             v, log_det = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
"""

# %% wrong: better_than_the_truth
"""
caught_by: task5_test_a
says: "off by a constant, +0.200"
why: "adds a fifth of a nat"

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum() + 0.2
"""

# %% wrong: exact
"""
caught_by: task5_test_a
says: "which this task does not allow"
why: "asks the city for its density"

-         u = self.bound * (2 * (x - self.low) / self.side - 1)
-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         people, self.exact = city(1, len(x), self.low, self.low + self.side)
"""

# %% wrong: few_steps
"""
caught_by: task5_test_c
says: "it has learned little"
why: "ten steps"

-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         training.fit(self.flow, u, steps=10, lr=1e-2, progress=False)
"""

# %% wrong: kernels
"""
caught_by: task5_test_a
says: "must belong to the very map"
why: "a kernel density estimate is no flow"
"""


class CityFlow:
    def __init__(self, low, high):
        self.low, self.side = low, high - low

    def train(self, x):
        self.points = (x - self.low) / self.side

    def to_square(self, x):
        z = (x - self.low) / self.side
        exponents = torch.cat([-0.5 * (torch.cdist(part, self.points) / 0.03) ** 2 for part in z.split(2000)])
        constant = math.log(len(self.points) * 2 * math.pi * 0.03**2)
        return z, torch.logsumexp(exponents, 1) - constant - self.side.log().sum()

    def to_city(self, z):
        x = self.low + self.side * z
        return x, -self.to_square(x)[1]


# %% wrong: kernels_behind_a_flow
"""
caught_by: task5_test_a
says: "must belong to the very map"
why: "kernels for the density, and a flow that is not asked"

-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         self.points = u / self.bound

-             v, log_det = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+             v, _ = self.flow.bijection.inverse(u.clamp(-self.bound, self.bound))
+         exponents = [-0.5 * (torch.cdist(part, self.points) / 0.06) ** 2 for part in (u / 5).split(2000)]
+         constant = math.log(len(self.points) * 2 * math.pi * 0.03**2)
+         log_p = torch.logsumexp(torch.cat(exponents), 1) - constant
+         return ((v / self.bound + 1) / 2).clamp(0, 1), log_p - self.side.log().sum()
"""

# %% wrong: log_det_back
"""
caught_by: task5_test_a
says: "the sign is flipped"
why: "hands over the log-determinant of the way back"

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         return ((v / self.bound + 1) / 2).clamp(0, 1), self.side.log().sum() - log_det
"""

# %% wrong: no_units
"""
caught_by: task5_test_a
says: "the change of units is missing"
why: "the density of the scaled city"

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det
"""

# %% wrong: normal_base
"""
caught_by: task5_test_a
says: "the unit square goes from 0 to 1"
why: "a normal base, whose z has no border"

-         edge, curve = torch.full((2,), self.bound), SplineTransformer(16, bound=self.bound)
-         self.flow = MAF(2, 1, hidden=(32, 32), transformer=curve, base=Uniform(-edge, edge))
+         self.flow = MAF(2, 1, hidden=(32, 32), transformer=SplineTransformer(16))

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         return v, log_det - self.side.log().sum() + 2 * math.log(10)
"""

# %% wrong: one_side
"""
caught_by: task5_test_a
says: "only one of the"
why: "pays for one side alone"

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side[0].log()
"""

# %% wrong: rounded
"""
caught_by: task5_test_a
says: "neighbours fall on one z"
why: "z in steps, as if the square had a hundred cells a side"

-         return ((v / self.bound + 1) / 2).clamp(0, 1), log_det - self.side.log().sum()
+         z = ((v / self.bound + 1) / 2).clamp(0, 1)
+         return (50 * z).round() / 50, log_det - self.side.log().sum()
"""

# %% wrong: same_number
"""
caught_by: task5_test_b
says: "both directions return the same number"
why: "one log-determinant for both directions"

-         return self.low + self.side * (u / self.bound + 1) / 2, log_det + self.side.log().sum()
+         return self.low + self.side * (u / self.bound + 1) / 2, -log_det - self.side.log().sum()
"""

# %% wrong: untrained
"""
caught_by: task5_test_c
says: "no better than a uniform city"
why: "obeys every law, and has learned nothing"

-         u = self.bound * (2 * (x - self.low) / self.side - 1)
-         training.fit(self.flow, u, steps=300, lr=1e-2, progress=False)
+         return None
"""

# %% wrong: way_back_unscaled
"""
caught_by: task5_test_b
says: "to_city does not undo to_square"
why: "returns to the spline's square, not to the city"

-         return self.low + self.side * (u / self.bound + 1) / 2, log_det + self.side.log().sum()
+         return u, log_det + self.side.log().sum()
"""

# %% wrong: by_hand
"""
caught_by: task5_test_a
says: "does not use MAF"
why: "a histogram of each street, exactly inverted: every law holds, but no net was trained"
"""


class CityFlow:
    def __init__(self, low, high):
        self.low, self.side, self.tall = low, high - low, torch.full((10, 1), 0.1).expand(10, 16)

    def knots(self, shares):
        return F.pad(shares.cumsum(-1), (1, 0)).contiguous()

    def train(self, x):
        places = (x - self.low) / self.side
        i, j = (10 * places[:, 0]).long().clamp(0, 9), (16 * places[:, 1]).long().clamp(0, 15)
        count = torch.ones(10, 16).index_put((i, j), torch.ones(len(x)), accumulate=True)
        self.wide, self.tall = count.sum(1) / count.sum(), count / count.sum(1, keepdim=True)

    def to_square(self, x):
        u = ((x - self.low) / self.side).clamp(0, 1)
        i, j = (10 * u[:, 0]).long().clamp(0, 9), (16 * u[:, 1]).long().clamp(0, 15)
        z1 = self.knots(self.wide)[i] + self.wide[i] * (10 * u[:, 0] - i)
        z2 = self.knots(self.tall)[i, j] + self.tall[i, j] * (16 * u[:, 1] - j)
        log_det = (10 * self.wide[i]).log() + (16 * self.tall[i, j]).log()
        return torch.stack([z1, z2], 1).clamp(0, 1), log_det - self.side.log().sum()

    def to_city(self, z):
        wide, tall = self.knots(self.wide), self.knots(self.tall)
        i = torch.searchsorted(wide[1:-1], z[:, 0].contiguous())
        j = (z[:, 1:] >= tall[i, 1:-1]).sum(1)
        u1 = (i + (z[:, 0] - wide[i]) / self.wide[i]) / 10
        u2 = (j + (z[:, 1] - tall[i, j]) / self.tall[i, j]) / 16
        log_det = (10 * self.wide[i]).log() + (16 * self.tall[i, j]).log()
        return self.low + self.side * torch.stack([u1, u2], 1), self.side.log().sum() - log_det
