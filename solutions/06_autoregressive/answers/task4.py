# %% right: lists
"""
why: "columns and units in lists, both heads in one product"
"""


def fast_sample(z, W, b, V, c, degrees):
    D = z.shape[1]
    by_degree = {d: [k for k, degree in enumerate(degrees.tolist()) if degree == d] for d in range(D)}
    columns, units, order, logs = [], [], [], []
    for i in range(D):
        mine = by_degree[i]
        if mine:
            a = b[mine].expand(len(z), -1)
            if columns:
                a = a + meter.product(torch.stack(columns, 1), W[mine][:, :i].T)
            units.append(torch.tanh(a))
            order += mine
        both = c[:, i].expand(len(z), 2)
        if order:
            both = both + meter.product(torch.cat(units, 1), V[:, i][:, order].T)
        alpha = torch.tanh(both[:, 1])
        columns.append(z[:, i] * torch.exp(alpha) + both[:, 0])
        logs.append(alpha)
    return torch.stack(columns, 1), sum(logs)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% right: push
"""
why: "finished units are pushed to the sums of all later outputs; units are pushed to by x"
"""


def fast_sample(z, W, b, V, c, degrees):
    batch, D = z.shape
    waiting = b.expand(batch, -1).clone()  # W x + b, as far as x is known
    sums = c[:, None].expand(2, batch, D).clone()  # V h + c, as far as h is known
    columns = []
    for i in range(D):
        units = (degrees == i).nonzero().flatten()
        if len(units):
            h = torch.tanh(waiting[:, units])
            for head in range(2):
                sums[head, :, i:] += meter.product(h, V[head, i:, units].T)
        columns.append(z[:, i] * torch.tanh(sums[1, :, i]).exp() + sums[0, :, i])
        later = (degrees > i).nonzero().flatten()
        waiting[:, later] += meter.product(columns[-1][:, None], W[later, i][None])
    return torch.stack(columns, 1), torch.tanh(sums[1]).sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% right: push_to_all
"""
why: "each new column is pushed to all units, and what is not known yet is hidden by where"
"""


def fast_sample(z, W, b, V, c, degrees):
    waiting, columns, alphas = b.expand(len(z), -1), [], []
    for i in range(z.shape[1]):
        h = torch.where(degrees <= i, torch.tanh(waiting), 0.0)
        alphas.append(torch.tanh(meter.product(h, V[1, i]) + c[1, i]))
        columns.append(z[:, i] * alphas[-1].exp() + meter.product(h, V[0, i]) + c[0, i])
        waiting = waiting + meter.product(columns[-1][:, None], W[:, i][None])
    return torch.stack(columns, 1), torch.stack(alphas).sum(0)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% right: sorted
"""
why: "sorts the units, so that those of a step lie side by side"
"""


def fast_sample(z, W, b, V, c, degrees):
    batch, D = z.shape
    by_degree = torch.argsort(degrees)
    W, b, V = W[by_degree], b[by_degree], V[:, :, by_degree]
    ends = torch.searchsorted(degrees[by_degree].contiguous(), torch.arange(D), right=True).tolist()
    x, h = z[:, :0], z[:, :0]
    log_scale, start = [], 0
    for i, stop in enumerate(ends):
        h = torch.cat([h, torch.tanh(meter.product(x, W[start:stop, :i].T) + b[start:stop])], 1)
        start = stop
        mu, raw = (meter.product(h, V[:, i, :stop].T) + c[:, i]).unbind(1)
        log_scale.append(torch.tanh(raw))
        x = torch.cat([x, (z[:, i] * log_scale[-1].exp() + mu)[:, None]], 1)
    return x, sum(log_scale)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% right: unit_by_unit
"""
why: "a loop over single units, only over their real inputs"

-     x, h = torch.zeros_like(z), z.new_zeros(len(z), len(b))
-     log_det = z.new_zeros(len(z))
+     x, log_det = z.clone(), z[:, 0] * 0
+     units = {}
      for i in range(z.shape[1]):
-         ready = degrees == i  # their last input became known in the step before
-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
-         mu = meter.product(h, V[0, i]) + c[0, i]
-         alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
-         x[:, i] = z[:, i] * alpha.exp() + mu
+         for k in range(len(b)):
+             if degrees[k] == i:
+                 units[k] = torch.tanh(meter.product(x[:, :i], W[k, :i]) + b[k])
+         mu, raw = c[0, i].expand(len(z)), c[1, i].expand(len(z))
+         if units:
+             h, known = torch.stack(list(units.values()), 1), list(units)
+             mu, raw = mu + meter.product(h, V[0, i, known]), raw + meter.product(h, V[1, i, known])
+         alpha = torch.tanh(raw)
+         x[:, i] = mu + torch.exp(alpha) * z[:, i]
"""

# %% wrong: all_outputs
"""
caught_by: task4_test_b
says: "computed again"
why: "computes all outputs in every step and keeps one"

-         mu = meter.product(h, V[0, i]) + c[0, i]
-         alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
+         mu = meter.product(h, V[0].T)[:, i] + c[0, i]
+         alpha = torch.tanh(meter.product(h, V[1].T)[:, i] + c[1, i])
"""

# %% wrong: all_units
"""
caught_by: task4_test_b
says: "computed again"
why: "computes every unit in every step, from what is known"

-         ready = degrees == i  # their last input became known in the step before
+         ready = degrees >= 0
"""

# %% wrong: count_set_back
"""
caught_by: task4_test_b
says: "the naive loop does so"
why: "D passes, and a count that is written by hand"
"""


def fast_sample(z, W, b, V, c, degrees):
    before, x = meter.count, torch.zeros_like(z)
    for _ in range(z.shape[1]):
        h = torch.tanh(meter.product(x, W.T) + b)
        mu = meter.product(h, V[0].T) + c[0]
        alpha = torch.tanh(meter.product(h, V[1].T) + c[1])
        x = z * alpha.exp() + mu
    meter.count = before + len(z) * 3 * z.shape[1] * len(b)
    return x, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: einsum
"""
caught_by: task4_test_b
says: "which this task does not allow"
why: "a product by another name"

-         mu = meter.product(h, V[0, i]) + c[0, i]
+         mu = torch.einsum("nk,k->n", h, V[0, i]) + c[0, i]
"""

# %% wrong: elementwise
"""
caught_by: task4_test_b
says: "the naive loop does so"
why: "D passes by elementwise products and sums, then one through the meter"
"""


def fast_sample(z, W, b, V, c, degrees):
    x = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        h = torch.tanh((x[:, None] * W).sum(2) + b)
        mu, raw = ((h[:, None] * V[head]).sum(2) + c[head] for head in range(2))
        x = z * torch.tanh(raw).exp() + mu
    h = torch.tanh(meter.product(x, W.T) + b)
    mu = meter.product(h, V[0].T) + c[0]
    alpha = torch.tanh(meter.product(h, V[1].T) + c[1])
    return z * alpha.exp() + mu, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: float32
"""
caught_by: task4_test_a
says: "keep the dtype"
why: "work space in float32"

+     z, W, b, V, c = z.float(), W.float(), b.float(), V.float(), c.float()
      x, h = torch.zeros_like(z), z.new_zeros(len(z), len(b))
"""

# %% wrong: from_z
"""
caught_by: task4_test_a
says: "they must see x"
why: "an IAF: the network reads z"
"""


def fast_sample(z, W, b, V, c, degrees):
    h = torch.tanh(meter.product(z, W.T) + b)
    mu, alpha = meter.product(h, V[0].T) + c[0], torch.tanh(meter.product(h, V[1].T) + c[1])
    return z * alpha.exp() + mu, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: identity
"""
caught_by: task4_test_a
says: "nothing moved"
why: "returns the noise"
"""


def fast_sample(z, W, b, V, c, degrees):
    return z, torch.zeros(len(z), dtype=z.dtype)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: last_alpha
"""
caught_by: task4_test_a
says: "sum of alpha"
why: "keeps the last alpha only"

-         log_det = log_det + alpha
+         log_det = alpha
"""

# %% wrong: last_units_again
"""
caught_by: task4_test_b
says: "computed again"
why: "the units of the step before are computed a second time"

-         ready = degrees == i  # their last input became known in the step before
-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
-         mu = meter.product(h, V[0, i]) + c[0, i]
+         ready = (degrees == i) | (degrees == i - 1)
+         h[:, ready] = torch.tanh(meter.product(x, W[ready].T) + b[ready])
          alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
-         x[:, i] = z[:, i] * alpha.exp() + mu
+         x[:, i] = z[:, i] * alpha.exp() + meter.product(h, V[0, i]) + c[0, i]
"""

# %% wrong: naive
"""
caught_by: task4_test_b
says: "this is the naive loop"
why: "D passes of the whole network"
"""


def fast_sample(z, W, b, V, c, degrees):
    x = torch.zeros_like(z)
    for _ in range(z.shape[1]):
        h = torch.tanh(meter.product(x, W.T) + b)
        mu, alpha = (meter.product(h, V[k].T) + c[k] for k in range(2))
        x = z * torch.tanh(alpha).exp() + mu
    return x, torch.tanh(alpha).sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: no_degree_zero
"""
caught_by: task4_test_a
says: "the units of degree 0 are forgotten"
why: "forgets the units that see nothing"

-         ready = degrees == i  # their last input became known in the step before
+         ready = (degrees == i) & (degrees > 0)
"""

# %% wrong: one_pass
"""
caught_by: task4_test_a
says: "this is one pass from x = 0"
why: "one pass from x = 0"
"""


def fast_sample(z, W, b, V, c, degrees):
    h = torch.tanh(b).expand(len(z), -1)
    mu, alpha = meter.product(h, V[0].T) + c[0], torch.tanh(meter.product(h, V[1].T) + c[1])
    return z * alpha.exp() + mu, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: own_meter
"""
caught_by: task4_test_b
says: "the naive loop does so"
why: "D passes that a second meter counts, then one pass"
"""


def fast_sample(z, W, b, V, c, degrees):
    other, x = Meter(), torch.zeros_like(z)
    for step in range(z.shape[1] + 1):
        one = meter if step == z.shape[1] else other
        h = torch.tanh(one.product(x, W.T) + b)
        alpha = torch.tanh(one.product(h, V[1].T) + c[1])
        x = z * alpha.exp() + one.product(h, V[0].T) + c[0]
    return x, alpha.sum(1)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: recomputed
"""
caught_by: task4_test_b
says: "computed again"
why: "computes the finished units again"

-         ready = degrees == i  # their last input became known in the step before
+         ready = degrees <= i
"""

# %% wrong: sign
"""
caught_by: task4_test_a
says: "the sign is flipped"
why: "the log-determinant of x -> z"

-         log_det = log_det + alpha
+         log_det = log_det - alpha
"""

# %% wrong: slow_sample
"""
caught_by: task4_test_b
says: "uses slow_sample"
why: "returns the naive loop, and a made-up number for its multiplications"
"""


def fast_sample(z, W, b, V, c, degrees):
    """x, (batch, D), and log|det dx/dz|, (batch,), with the multiplications of one pass."""
    return slow_sample(z, W, b, V, c, degrees)


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    return 3 * len(z) * W.numel()


# %% wrong: slow_sample_by_name
"""
caught_by: task4_test_b
says: "the naive loop does so"
why: "the given loop by a name that is put together"
"""


def fast_sample(z, W, b, V, c, degrees):
    result = globals()["slow_" + "sample"](z, W, b, V, c, degrees)
    meter.count = len(z) * 3 * z.shape[1] * len(b)
    return result


def spent(z, W, b, V, c, degrees):
    """How many multiplications fast_sample makes. Given: leave it as it is."""
    meter.count = 0
    fast_sample(z, W, b, V, c, degrees)
    return meter.count


# %% wrong: sorted_degrees
"""
caught_by: task4_test_a
says: "taken to be sorted by degree"
why: "takes the units to be sorted by degree"

-         ready = degrees == i  # their last input became known in the step before
+         ready = torch.sort(degrees).values == i
"""

# %% wrong: too_early
"""
caught_by: task4_test_a
says: "one step before its last input is known"
why: "computes a unit one step before its last input is known"

-         ready = degrees == i  # their last input became known in the step before
-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
+         ready = degrees == i + 1
+         h[:, ready] = torch.tanh(meter.product(x, W[ready].T) + b[ready])
"""

# %% wrong: too_late
"""
caught_by: task4_test_a
says: "one step after it is needed"
why: "computes a unit one step after it is needed"

-         ready = degrees == i  # their last input became known in the step before
+         ready = degrees == i - 1
"""

# %% wrong: units_past_the_meter
"""
caught_by: task4_test_b
says: "uses @"
why: "computes every hidden unit at every step, but meters only the outputs"

-     x, h = torch.zeros_like(z), z.new_zeros(len(z), len(b))
-     log_det = z.new_zeros(len(z))
+     x, log_det = torch.zeros_like(z), 0
      for i in range(z.shape[1]):
-         ready = degrees == i  # their last input became known in the step before
-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
+         h = torch.tanh(x @ W.T + b)
"""

# %% wrong: unmetered
"""
caught_by: task4_test_b
says: "uses @"
why: "multiplies past the meter"

-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
-         mu = meter.product(h, V[0, i]) + c[0, i]
-         alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
+         h[:, ready] = torch.tanh(x[:, :i] @ W[ready, :i].T + b[ready])
+         mu = h @ V[0, i] + c[0, i]
+         alpha = torch.tanh(h @ V[1, i] + c[1, i])
"""

# %% wrong: writes_over_z
"""
caught_by: task4_test_a
says: "changes its first argument in place"
why: "x is built where z was"

-     x, h = torch.zeros_like(z), z.new_zeros(len(z), len(b))
+     h = z.new_zeros(len(z), len(b))

-         ready = degrees == i  # their last input became known in the step before
-         h[:, ready] = torch.tanh(meter.product(x[:, :i], W[ready, :i].T) + b[ready])
-         mu = meter.product(h, V[0, i]) + c[0, i]
+         ready = degrees == i
+         h[:, ready] = torch.tanh(meter.product(z[:, :i], W[ready, :i].T) + b[ready])
          alpha = torch.tanh(meter.product(h, V[1, i]) + c[1, i])
-         x[:, i] = z[:, i] * alpha.exp() + mu
+         z[:, i] = z[:, i] * alpha.exp() + meter.product(h, V[0, i]) + c[0, i]
          log_det = log_det + alpha
-     return x, log_det
+     return z, log_det
"""
