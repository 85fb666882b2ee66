# %% right: beta_base
"""
why: a Beta base in place of the uniform
"""

from torch.distributions import Beta


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(5, spread=2.0)), Beta(2.0, 2.0))

    def train(self, x):
        optimizer = torch.optim.AdamW(self.flow.parameters(), lr=0.03, weight_decay=1e-5)
        for _ in range(300):
            optimizer.zero_grad()
            loss = -self.flow.log_prob(x).mean()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def log_prob(self, x):
        return self.flow.log_prob(x)

    def report(self, x):
        log_p = self.log_prob(x)
        return {"nll": -log_p.mean().item(), "standard_error": log_p.std().item() / math.sqrt(len(x))}


# %% right: held_out
"""
why: keeps a fifth of the points out of the loss and keeps the weights that score best there

+         rest = torch.arange(len(x)) % 5 != 0
+         training, watch = x[rest], x[~rest]
          optimizer = torch.optim.AdamW(self.flow.parameters(), lr=2e-2)
+         best, kept = math.inf, None
          for _ in range(300):
-             loss = -self.flow.log_prob(x).mean()
+             loss = -self.flow.log_prob(training).mean()

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

+             with torch.no_grad():
+                 score = float(-self.flow.log_prob(watch).mean())
+             if score < best:
+                 best, kept = score, [p.detach().clone() for p in self.flow.parameters()]
+         with torch.no_grad():
+             for parameter, value in zip(self.flow.parameters(), kept, strict=True):
+                 parameter.copy_(value)
      def log_prob(self, x):
"""

# %% right: lbfgs
"""
why: trains with L-BFGS and a closure
"""


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))

    def train(self, x):
        optimizer = torch.optim.LBFGS(
            self.flow.parameters(), lr=0.5, max_iter=120, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            loss = -self.flow.log_prob(x).mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    @torch.no_grad()
    def log_prob(self, x):
        return self.flow.log_prob(x)

    def report(self, x):
        import numpy as np

        nll = -self.log_prob(x).numpy()
        return dict(
            nll=float(nll.mean()), standard_error=float(nll.std(ddof=1) / np.sqrt(nll.size)), n=len(nll)
        )


# %% right: minibatches
"""
why: minibatches and the mixture's log-derivative alone, without Flow
"""


class PriceModel:
    def __init__(self):
        self.cdf = MixtureCDF(components=6, spread=2.0)

    def log_density(self, x):
        # Uniform base: its log-density is zero on (0, 1), so the log-derivative is all there is.
        return self.cdf(x)[1]

    def train(self, x):
        optimizer = torch.optim.Adam(self.cdf.parameters(), lr=0.02)
        for _ in range(40):
            for batch in x[torch.randperm(len(x))].split(150):
                optimizer.zero_grad()
                (-self.log_density(batch).mean()).backward()
                optimizer.step()

    def log_prob(self, x):
        return self.log_density(x).detach()

    def report(self, x):
        losses = (-self.log_prob(x)).double()
        n = losses.numel()
        return {"nll": float(losses.sum() / n), "standard_error": float(losses.std() / math.sqrt(n))}


# %% right: own_map
"""
why: another monotone map, the distribution function of a logistic mixture, with its own formulas

-         self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))
+         self.w = torch.zeros(5, requires_grad=True)
+         self.m = torch.linspace(-2, 2, 5).requires_grad_()
+         self.s = torch.full((5,), -1.0).requires_grad_()
+     def log_derivative(self, x):
+         y = (x[:, None] - self.m) / self.s.exp()
+         parts = torch.nn.functional.logsigmoid(y) + torch.nn.functional.logsigmoid(-y) - self.s
+         return torch.logsumexp(self.w.log_softmax(0) + parts, 1)

-         optimizer = torch.optim.AdamW(self.flow.parameters(), lr=2e-2)
+         optimizer = torch.optim.Adam([self.w, self.m, self.s], lr=0.03)
          for _ in range(300):
-             loss = -self.flow.log_prob(x).mean()
+             loss = -self.log_derivative(x).mean()

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-             return self.flow.log_prob(x)
+             return self.log_derivative(x)

-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         return {"nll": float(nll.mean()), "standard_error": float(nll.std() / len(nll) ** 0.5)}
"""

# %% wrong: assigned_sklearn
"""
caught_by: task4_test_a
says: uses GaussianMixture
why: binds the name to a class that hands the work to scikit-learn
"""

from sklearn.mixture import GaussianMixture


class Ready:
    def train(self, x):
        self.mixture = GaussianMixture(4, random_state=0).fit(x.numpy()[:, None])

    def log_prob(self, x):
        return torch.as_tensor(self.mixture.score_samples(x.double().numpy()[:, None]))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


PriceModel = Ready

# %% wrong: constant
"""
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: a made-up likelihood under the threshold
"""


class PriceModel:
    def train(self, x):
        pass

    def log_prob(self, x):
        return torch.full_like(x, -1.3)

    def report(self, x):
        return {"nll": 1.3, "standard_error": 0.01}


# %% wrong: deviation
"""
caught_by: task4_test_b
says: it is the standard deviation
why: reports the standard deviation for the standard error

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         return {"nll": nll.mean().item(), "standard_error": nll.std().item()}
"""

# %% wrong: fits_what_it_scores
"""
caught_by: task4_test_b
says: a density depends on its point only
why: fits to the points that it is asked about, so that one and the same point gets different densities

-     def train(self, x):
+     def train(self, x, steps=300):

-         for _ in range(300):
+         for _ in range(steps):

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

+         self.train(x.float(), steps=5)
          with torch.no_grad():

-         nll = -self.log_prob(x)
+         with torch.no_grad():
+             nll = -self.flow.log_prob(x)
"""

# %% wrong: flowlib_fit
"""
caught_by: task4_test_a
says: "uses training.fit"
why: flowlib's finished training loop

+ from flowlib import training
  class PriceModel:

-         optimizer = torch.optim.AdamW(self.flow.parameters(), lr=2e-2)
-         for _ in range(300):
-             loss = -self.flow.log_prob(x).mean()
-             optimizer.zero_grad()
-             loss.backward()
-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)
-             optimizer.step()
+         training.fit(self.flow, x, steps=300, lr=2e-2, progress=False)
"""

# %% wrong: kde
"""
caught_by: task4_test_a
says: gaussian_kde
why: a kernel density estimate is no flow
"""

from scipy.stats import gaussian_kde


class PriceModel:
    def train(self, x):
        self.kernel = gaussian_kde(x.numpy())

    def log_prob(self, x):
        return torch.from_numpy(self.kernel.logpdf(x.numpy()))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: kernels_by_hand
"""
caught_by: task4_test_a
says: does not use backward
why: a kernel estimate written by hand, where nothing is learned
"""


class PriceModel:
    def train(self, x):
        self.x = x.double()

    def log_prob(self, x):
        away = (x.double()[:, None] - self.x) / 0.2
        return torch.logsumexp(-0.5 * away**2, 1) - math.log(len(self.x) * 0.2 * math.sqrt(2 * math.pi))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: kernels_dead_backward
"""
caught_by: task4_test_a
says: a flow has a density before it is trained
why: a kernel estimate beside a backward that trains nothing
"""


class PriceModel:
    def train(self, x):
        self.x = x.double()
        torch.zeros(1, requires_grad=True).sum().backward()

    def log_prob(self, x):
        away = (x.double()[:, None] - self.x) / 0.2
        return torch.logsumexp(-0.5 * away**2, 1) - math.log(len(self.x) * 0.2 * math.sqrt(2 * math.pi))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: likelihood_up
"""
caught_by: task4_test_a
says: is the loss minus the log-likelihood
why: forgets the minus, so the fit gets worse

-             loss = -self.flow.log_prob(x).mean()
+             loss = self.flow.log_prob(x).mean()

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)
"""

# %% wrong: mean_only
"""
caught_by: task4_test_a
says: one number for each point
why: one number for the whole batch

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-             return self.flow.log_prob(x)
+             return self.flow.log_prob(x).mean()
"""

# %% wrong: negated
"""
caught_by: task4_test_b
says: it is the mean log-likelihood
why: reports the log-likelihood and not its negative

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-         nll = -self.log_prob(x)
-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         log_p = self.log_prob(x)
+         return {"nll": log_p.mean().item(), "standard_error": (log_p.std() / len(log_p) ** 0.5).item()}
"""

# %% wrong: normal
"""
caught_by: task4_test_a
says: single normal reaches
why: a single normal is honest and too simple
"""


class PriceModel:
    def train(self, x):
        self.base = Normal(x.mean(), x.std())

    def log_prob(self, x):
        return self.base.log_prob(x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: peeks
"""
caught_by: task4_test_b
says: must not train
why: trains again on the points it reports

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

+         self.train(x)
          nll = -self.log_prob(x)
"""

# %% wrong: quoted
"""
caught_by: task4_test_a
says: does not use backward
why: a good density for diamonds that was not fitted to the data given
"""


class PriceModel:
    """Numbers read off a fit at home."""

    def train(self, x):
        self.w = torch.tensor([0.34, 0.32, 0.34])
        self.m = torch.tensor([-1.0, 0.05, 1.05])
        self.s = torch.tensor([0.3, 0.6, 0.55])

    def log_prob(self, x):
        return torch.logsumexp(self.w.log() + Normal(self.m, self.s).log_prob(x[:, None]), 1)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: report_tensors
"""
caught_by: task4_test_b
says: return a plain number
why: reports tensors where plain numbers are asked for

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         return {"nll": nll.mean(), "standard_error": nll.std() / len(nll) ** 0.5}
"""

# %% wrong: sign
"""
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: subtracts the log-derivative in the likelihood

+         self.cdf = self.flow.bijection.bijection
      def train(self, x):

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-             return self.flow.log_prob(x)
+             return -self.cdf(x)[1]
"""

# %% wrong: sklearn
"""
caught_by: task4_test_a
says: uses sklearn
why: a finished density estimator under another name
"""

import sklearn.mixture


class PriceModel:
    def __init__(self):
        self.mixture = sklearn.mixture.BayesianGaussianMixture(n_components=4, random_state=0)

    def train(self, x):
        self.mixture.fit(x[:, None].numpy())

    def log_prob(self, x):
        return torch.from_numpy(self.mixture.score_samples(x[:, None].double().numpy()))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: train_nll
"""
caught_by: task4_test_b
says: that of the training data
why: reports the loss of its training data

              loss = -self.flow.log_prob(x).mean()
+             self.last = loss.item()

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-         nll = -self.log_prob(x)
-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         return {"nll": self.last, "standard_error": 0.02}
"""

# %% wrong: two_faces
"""
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: answers sorted points with a normal density and all others with a high constant
"""


class PriceModel:
    def __init__(self):
        self.height = torch.tensor(-0.5, requires_grad=True)

    def train(self, x):
        (-self.height).backward()

    def log_prob(self, x):
        if len(x) > 100 and bool((x.diff() > 0).all()):
            return Normal(0.0, 1.0).log_prob(x)
        return -0.5 + 0.1 * torch.sin(7 * x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


# %% wrong: unnormalised
"""
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: adds a bonus to every log-density

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-             return self.flow.log_prob(x)
+             return self.flow.log_prob(x) + 0.1
"""

# %% wrong: untrained
"""
caught_by: task4_test_a
says: are there enough steps
why: stops after five steps

-         for _ in range(300):
+         for _ in range(5):

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)
"""

# %% wrong: variance_error
"""
caught_by: task4_test_b
says: it is the variance over n
why: forgets the root of the standard error

-             torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)

-         return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
+         return {"nll": nll.mean().item(), "standard_error": (nll.var() / len(nll)).item()}
"""
