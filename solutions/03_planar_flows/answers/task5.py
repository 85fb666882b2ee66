# %% right: checked_against_data
"""
why: looks at the data once more below its functions
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * (1 + math.log(2 * math.pi)) + math.log(noise)


def fitted_log_prob(train, queries):
    torch.manual_seed(1)
    flow = PlanarFlow(2, layers=7, cheap="density")
    held, kept = train[:500], train[500:]
    training.fit(flow, kept, held, steps=350, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)


some = fitted_log_prob(data.noisy_sine(3000, seed=3), data.noisy_sine(1000, seed=4))
print(-some.mean(), sine_entropy(0.1, 3.0))

# %% right: own_layers
"""
why: stacks the layers by hand and writes its own loop
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.planar import Planar


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(2)
    flow = Flow(Chain(*[Inverse(Planar(2)) for _ in range(8)]), StandardNormal((2,)))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.03)
    for step in range(400):
        optimizer.zero_grad()
        loss = flow.log_prob(train[torch.randint(len(train), (512,))]).mean().neg()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * (1 - step / 400)
    return flow.log_prob(queries).detach()


# %% right: own_loop
"""
why: composes the layers and writes the training loop
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.planar import Planar


def sine_entropy(noise, width):
    uniform = math.log(width) + math.log(2)
    normal = 0.5 + 0.5 * math.log(2 * math.pi) + math.log(noise)
    return uniform + normal


def fitted_log_prob(train, queries):
    torch.manual_seed(3)
    flow = Flow(Chain(*(Inverse(Planar(2)) for _ in range(6))), StandardNormal((2,)))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        loss = -flow.log_prob(train[torch.randint(len(train), (256,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return flow.log_prob(queries).detach()


# %% right: standardised
"""
why: standardises first and accounts for it
"""


def sine_entropy(noise, width):
    return torch.log(torch.tensor(2.0 * width, dtype=torch.float64)).item() + (
        torch.distributions.Normal(0.0, torch.tensor(noise, dtype=torch.float64)).entropy().item()
    )


def fitted_log_prob(train, queries):
    torch.manual_seed(1)
    mean, deviation = train.mean(0), train.std(0)
    flow = PlanarFlow(2, layers=8, cheap="density")
    training.fit(flow, (train - mean) / deviation, steps=400, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob((queries - mean) / deviation) - deviation.log().sum()


# %% wrong: entropy_bits
"""
caught_by: task5_test_a
says: "in bits"
why: answers in bits

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return (math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)) / math.log(2)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_constant
"""
caught_by: task5_test_a
says: "depend on both arguments"
why: returns the number of the example

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return math.log(6) + 0.5 * math.log(2 * math.pi * math.e * 0.01)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_half_width
"""
caught_by: task5_test_a
says: "2 width"
why: length of the interval is halved

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return math.log(width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_no_e
"""
caught_by: task5_test_a
says: "e of the normal"
why: forgets the 1/2 that comes from the squared deviation

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * noise**2)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_no_half
"""
caught_by: task5_test_a
says: "factor 1/2"
why: loses the 1/2

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return math.log(2 * width) + math.log(2 * math.pi * math.e * noise**2)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_no_uniform
"""
caught_by: task5_test_a
says: "uniform part"
why: only the conditional entropy

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return 0.5 * math.log(2 * math.pi * math.e * noise**2)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: entropy_noise_not_squared
"""
caught_by: task5_test_a
says: "not squared"
why: takes the deviation for the variance

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise)

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=5, cheap="density")
"""

# %% wrong: fits_queries
"""
caught_by: task5_test_b
says: not to the queries
why: fits the flow to the points that it is asked to score

-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
+     training.fit(flow, queries[:4000], steps=300, lr=0.03, progress=False)
"""

# %% wrong: folding
"""
caught_by: task5_test_b
says: "can the layers fold"
why: layers without a constraint, whose likelihood counts some mass many times

-     flow = PlanarFlow(2, layers=6, cheap="density")
-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
-     with torch.no_grad():
-         return flow.log_prob(queries)
+     w, u, b = (torch.randn(8, *shape).requires_grad_() for shape in ((2,), (2,), ()))
+     def log_prob(x):
+         total = 0.0
+         for k in range(8):
+             h = torch.tanh(x @ w[k] + b[k])
+             total = total + torch.log((1 + (1 - h**2) * (w[k] @ u[k])).abs() + 1e-8)
+             x = x + u[k] * h[:, None]
+         return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + total
+     optimizer = torch.optim.Adam([w, u, b], lr=0.02)
+     for _ in range(600):
+         loss = -log_prob(train[torch.randint(len(train), (256,))]).mean()
+         optimizer.zero_grad()
+         loss.backward()
+         torch.nn.utils.clip_grad_norm_([w, u, b], 5.0)
+         optimizer.step()
+     return log_prob(queries).detach()
"""

# %% wrong: gaussian
"""
caught_by: task5_test_b
says: does it bend
why: fits a Gaussian
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    normal = torch.distributions.MultivariateNormal(train.mean(0), train.T.cov())
    return normal.log_prob(queries)


# %% wrong: ignores_train
"""
caught_by: task5_test_b
says: "fitted to `train`"
why: fits the flow to a sine of its own making and ignores the data

+     x2 = 6 * torch.rand(5000) - 3
+     curve = x2 - x2**3 / 6 + x2**5 / 120 - x2**7 / 5040 + x2**9 / 362880 - x2**11 / 39916800
      flow = PlanarFlow(2, layers=6, cheap="density")
-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
+     own = torch.stack([curve + 0.1 * torch.randn(5000), x2], 1)
+     training.fit(flow, own, steps=300, lr=0.03, progress=False)
"""

# %% wrong: kernels
"""
caught_by: task5_test_b
says: "does not use Planar"
why: a kernel density estimate scores well, but it is no flow
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    width, parts = 0.12, []
    for part in queries.split(2000):
        distance = torch.cdist(part, train) / width
        constant = math.log(len(train) * 2 * math.pi * width**2)
        parts.append(torch.logsumexp(-0.5 * distance**2, 1) - constant)
    return torch.cat(parts)


# %% wrong: known_density
"""
caught_by: task5_test_b
says: "uses data.noisy_sine_log_prob"
why: returns the true density
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    return data.noisy_sine_log_prob(queries)


# %% wrong: later_flow
"""
caught_by: task5_test_b
says: uses RealNVP
why: a flow of the next lesson beside a planar one that does nothing

+ from flowlib import RealNVP
  def sine_entropy(noise, width):

+     PlanarFlow(2, layers=1)
      torch.manual_seed(0)
-     flow = PlanarFlow(2, layers=6, cheap="density")
-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
+     flow = RealNVP(dim=2, layers=6, hidden=(32, 32))
+     training.fit(flow, train, steps=400, lr=0.01, progress=False)
"""

# %% wrong: mean
"""
caught_by: task5_test_b
says: "one number for each query"
why: returns the mean

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=4, cheap="density")

-         return flow.log_prob(queries)
+         return flow.log_prob(queries).mean()
"""

# %% wrong: negative
"""
caught_by: task5_test_b
says: "integrates to"
why: returns the loss instead of the log-density

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=4, cheap="density")

-         return flow.log_prob(queries)
+         return -flow.log_prob(queries)
"""

# %% wrong: no_constant
"""
caught_by: task5_test_b
says: "log 2 pi of the base is missing"
why: drops the constant of the base, which makes the loss look good

-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
+     training.fit(flow, train, steps=400, lr=0.03, progress=False)
      with torch.no_grad():
-         return flow.log_prob(queries)
+         z, log_det = flow.bijection.inverse(queries)
+         return -0.5 * (z**2).sum(1) + log_det
"""

# %% wrong: one_layer
"""
caught_by: task5_test_b
says: "does it bend"
why: one layer only

-     flow = PlanarFlow(2, layers=6, cheap="density")
+     flow = PlanarFlow(2, layers=1, cheap="density")
"""

# %% wrong: train_entropy_estimate
"""
caught_by: task5_test_a
says: do not estimate it from draws
why: estimates the entropy from draws

-     return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)
+     g = torch.Generator().manual_seed(0)
+     x2 = width * (2 * torch.rand(200_000, generator=g, dtype=torch.float64) - 1)
+     e = noise * torch.randn(200_000, generator=g, dtype=torch.float64)
+     logp = -math.log(2 * width) - 0.5 * (e / noise) ** 2 - 0.5 * math.log(2 * math.pi * noise**2)
+     return -logp.mean().item()
"""

# %% wrong: untrained
"""
caught_by: task5_test_b
says: "is it fitted to `train`"
why: forgets to fit

-     flow = PlanarFlow(2, layers=6, cheap="density")
-     training.fit(flow, train, steps=300, lr=0.03, progress=False)
      with torch.no_grad():
-         return flow.log_prob(queries)
+         return PlanarFlow(2, layers=6, cheap="density").log_prob(queries)
"""
