# %% right: one_by_one
"""
why: "one draw at a time; the counts with a default"
"""


def reverse_kl(z, layers, log_z):
    def one(point):
        u, log_q = point[None], -0.5 * float((point**2).sum()) - len(point) * 0.5 * math.log(2 * math.pi)
        for k in range(1, layers + 1):
            m, a = conditioner(u, k)
            u, log_q = m + u * a.exp(), log_q - float(a.sum())
        return log_q - float(log_target(u)) + log_z

    return sum(one(point) for point in z) / len(z)


def passes(family, job, dim, layers):
    per_layer = {("maf", "sample"): dim, ("maf", "both"): dim, ("maf", "score"): 1}
    return layers * per_layer.get((family, job), dim if job == "score" else 1)


# %% right: recursion
"""
why: "the density by recursion, the counts from a table"
"""


def drawn(z, layer, layers, log_q):
    if layer > layers:
        return z, log_q
    mu, alpha = conditioner(z, layer)
    return drawn(mu + z * torch.exp(alpha), layer + 1, layers, log_q - torch.sum(alpha, dim=-1))


def reverse_kl(z, layers, log_z):
    base = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    x, log_q = drawn(z, 1, layers, base)
    return float(torch.mean(log_q - (log_target(x) - log_z)))


def passes(family, job, dim, layers):
    table = {
        ("maf", "score"): 1,
        ("maf", "sample"): dim,
        ("maf", "both"): dim,
        ("iaf", "score"): dim,
        ("iaf", "sample"): 1,
        ("iaf", "both"): 1,
    }
    return table[family, job] * layers


# %% right: two_means
"""
why: "energy minus entropy, as a NumPy-like pair of means"
"""


def reverse_kl(z, layers, log_z):
    D = z.shape[-1]
    entropy = 0.5 * z.square().sum(1).mean() + D / 2 * math.log(2 * math.pi)
    x = z
    for k in range(layers):
        mu, alpha = conditioner(x, k + 1)
        entropy = entropy + alpha.sum(1).mean()
        x = torch.exp(alpha) * x + mu
    energy = -(log_target(x)).mean()
    return torch.tensor([float(energy - entropy + log_z)], dtype=torch.float64)


def passes(family, job, dim, layers):
    if family == "maf":
        return layers if job == "score" else layers * dim
    return layers * dim if job == "score" else layers


# %% wrong: absolute
"""
caught_by: task5_test_a
says: "the absolute value is taken"
why: "an estimate that cannot be negative"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x) + log_z).abs().mean()
"""

# %% wrong: backwards
"""
caught_by: task5_test_a
says: "from the last to the first"
why: "layers in the order of the inverse"

-     for layer in range(1, layers + 1):
+     for layer in range(layers, 0, -1):
"""

# %% wrong: bound
"""
caught_by: task5_test_a
says: "the bound on log z"
why: "returns the lower bound on log Z"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_target(x) - log_q).mean()
"""

# %% wrong: first_layer
"""
caught_by: task5_test_a
says: "only the first layer"
why: "one layer whatever is asked"

-     for layer in range(1, layers + 1):
+     for layer in (1,):
"""

# %% wrong: flipped
"""
caught_by: task5_test_a
says: "the sign is flipped"
why: "log p - log q"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_target(x) - log_q).mean() - log_z
"""

# %% wrong: flowlib
"""
caught_by: task5_test_a
says: "which this task does not allow"
why: "samples from flowlib's IAF"
"""

from flowlib.models import IAF


def reverse_kl(z, layers, log_z):
    flow = IAF(z.shape[1], layers=layers).to(z.dtype)
    x, log_q = flow.sample_with_log_prob(len(z))
    return float((log_q - log_target(x)).mean()) + log_z


def passes(family, job, dim, layers):
    return layers


# %% wrong: hard_coded
"""
caught_by: task5_test_a
says: "the draws are not used"
why: "the example's number"

-     return (log_q - log_target(x)).mean() + log_z
+     return 0.2190
"""

# %% wrong: log_det_sign
"""
caught_by: task5_test_a
says: "the log-determinant has the wrong sign"
why: "adds the log-determinant"

-         log_q = log_q - alpha.sum(1)
+         log_q = log_q + alpha.sum(1)
"""

# %% wrong: log_z_sign
"""
caught_by: task5_test_a
says: "log_z has the wrong sign"
why: "subtracts log Z"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)).mean() - log_z
"""

# %% wrong: maf
"""
caught_by: task5_test_a
says: "its input"
why: "draws as a MAF does"

-         mu, alpha = conditioner(x, layer)
-         x = x * alpha.exp() + mu
+         u, x = x, torch.zeros_like(x)
+         for _ in range(z.shape[1]):
+             mu, alpha = conditioner(x, layer)
+             x = u * alpha.exp() + mu
"""

# %% wrong: median
"""
caught_by: task5_test_a
says: "the median is taken"
why: "the median of the draws"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)).median() + log_z
"""

# %% wrong: no_constant
"""
caught_by: task5_test_a
says: "log(2 pi) of the base is missing"
why: "drops log 2 pi"

-     log_q, x = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1), z
+     log_q, x = -0.5 * (z**2).sum(1), z
"""

# %% wrong: no_entropy
"""
caught_by: task5_test_a
says: "log q, is missing"
why: "the energy alone"

-     return (log_q - log_target(x)).mean() + log_z
+     return -log_target(x).mean() + log_z
"""

# %% wrong: no_log_det
"""
caught_by: task5_test_a
says: "the log-determinant is left out"
why: "density of z for that of x"

-         log_q = log_q - alpha.sum(1)
"""

# %% wrong: no_log_z
"""
caught_by: task5_test_a
says: "log_z is missing"
why: "takes the target for normalised"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)).mean()
"""

# %% wrong: no_return
"""
caught_by: task5_test_a
says: "reverse_kl returns nothing"
why: "computes the estimate and forgets to return it"

-     return (log_q - log_target(x)).mean() + log_z
+     estimate = (log_q - log_target(x)).mean() + log_z
"""

# %% wrong: one_constant
"""
caught_by: task5_test_a
says: "the constant of one dimension"
why: "half log 2 pi once instead of D times"

-     log_q, x = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1), z
+     log_q, x = -0.5 * (z**2).sum(1) - 0.5 * math.log(2 * math.pi), z
"""

# %% wrong: own_log_z
"""
caught_by: task5_test_a
says: "log_z is not used as it is given"
why: "a constant in place of the log_z that is given"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)).mean() + 2.531
"""

# %% wrong: passes_incremental
"""
caught_by: task5_test_b
says: "the incremental sampler is counted"
why: "counts the incremental sampler for the naive loop"

-     return layers * (dim if job in slow[family] else 1)
+     return layers
"""

# %% wrong: passes_layers_free
"""
caught_by: task5_test_b
says: "every layer has to find"
why: "D passes for the whole stack"

-     return layers * (dim if job in slow[family] else 1)
+     return dim if job in slow[family] else layers
"""

# %% wrong: passes_mixed_up
"""
caught_by: task5_test_b
says: "a maf knows all of x"
why: "MAF and IAF the wrong way round"

-     slow = {"maf": ("sample", "both"), "iaf": ("score",)}
+     slow = {"iaf": ("sample", "both"), "maf": ("score",)}
"""

# %% wrong: passes_one_less
"""
caught_by: task5_test_b
says: "one pass too few"
why: "takes the first variable to need no network"

-     return layers * (dim if job in slow[family] else 1)
+     return layers * (max(dim - 1, 1) if job in slow[family] else 1)
"""

# %% wrong: passes_one_more
"""
caught_by: task5_test_b
says: "what does the last pass"
why: "one more pass to score a MAF's own draw"

-     return layers * (dim if job in slow[family] else 1)
+     extra = layers if (family, job) == ("maf", "both") and dim > 1 else 0
+     return layers * (dim if job in slow[family] else 1) + extra
"""

# %% wrong: passes_overlap
"""
caught_by: task5_test_b
says: "do not overlap"
why: "lets the loops of the layers overlap"

-     return layers * (dim if job in slow[family] else 1)
+     return dim + layers - 1 if job in slow[family] else layers
"""

# %% wrong: passes_own_draws
"""
caught_by: task5_test_b
says: "did you ask for an inverse"
why: "inverts its own draws to score them"

-     slow = {"maf": ("sample", "both"), "iaf": ("score",)}
+     slow = {"maf": ("sample", "both"), "iaf": ("score", "both")}
"""

# %% wrong: passes_score_iaf
"""
caught_by: task5_test_b
says: "from outside"
why: "takes an IAF to be fast at everything"

-     slow = {"maf": ("sample", "both"), "iaf": ("score",)}
+     slow = {"maf": ("sample", "both"), "iaf": ()}
"""

# %% wrong: per_draw
"""
caught_by: task5_test_a
says: "expected one number"
why: "one value for each draw"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)) + log_z
"""

# %% wrong: sum
"""
caught_by: task5_test_a
says: "not averaged"
why: "sums over the draws"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(x)).sum() + log_z
"""

# %% wrong: target_at_z
"""
caught_by: task5_test_a
says: "asked at z"
why: "scores the noise under the target"

-     return (log_q - log_target(x)).mean() + log_z
+     return (log_q - log_target(z)).mean() + log_z
"""

# %% wrong: visible_number
"""
caught_by: task5_test_a
says: "the draws are not used"
why: "the number of the visible test"

-     return (log_q - log_target(x)).mean() + log_z
+     return 1.025335
"""
