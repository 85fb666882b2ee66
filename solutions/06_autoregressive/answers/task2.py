# %% right: column_by_column
"""
why: "fills x one variable at a time in the layer's order; log p by recursion"
"""


def maf_log_prob(x, layers):
    if layers == 0:
        return torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(-1)
    mu, alpha = conditioner(x, layers)
    return maf_log_prob((x - mu) / alpha.exp(), layers - 1) - alpha.sum(-1)


def maf_sample(z, layers):
    log_det = z.new_zeros(z.shape[0])
    for layer in range(1, layers + 1):
        columns = range(z.shape[1])
        x = z.clone()
        for i in columns if layer % 2 else reversed(columns):
            mu, alpha = conditioner(x, layer)
            x[:, i] = z[:, i] * alpha[:, i].exp() + mu[:, i]
            log_det += alpha[:, i]
        z = x
    return z, log_det


# %% right: kept_columns
"""
why: "every column is computed once and kept; the density by einsum"
"""


def maf_log_prob(x, layers):
    out = torch.full_like(x[:, 0], -x.shape[1] / 2 * math.log(2 * math.pi))
    for k in reversed(range(layers)):
        shift, log_scale = conditioner(x, k + 1)
        x = torch.exp(-log_scale) * (x - shift)
        out = out - torch.einsum("bd->b", log_scale)
    return out - x.square().sum(-1) / 2


def maf_sample(z, layers):
    log_det = torch.zeros_like(z[:, 0])
    for k in range(1, layers + 1):
        columns = list(range(z.shape[1])) if k % 2 else list(reversed(range(z.shape[1])))
        known = {}
        for i in columns:
            x = torch.stack([known.get(j, torch.zeros_like(z[:, 0])) for j in range(z.shape[1])], dim=-1)
            shift, log_scale = conditioner(x, k)
            known[i] = torch.addcmul(shift[:, i], z[:, i], log_scale[:, i].exp())
            log_det = log_det + log_scale[:, i]
        z = torch.stack([known[j] for j in range(z.shape[1])], dim=-1)
    return z, log_det


# %% right: until_it_stands
"""
why: "repeats until x no longer changes; log_det is taken at the finished x"
"""


def base(z):
    return -(z * z).sum(1) / 2 - z.shape[1] / 2 * math.log(2 * math.pi)


def back(x, layers):
    log_det = torch.zeros_like(x[:, 0])
    for layer in reversed(range(1, layers + 1)):
        mu, alpha = conditioner(x, layer)
        x = (x - mu) * torch.exp(-alpha)
        log_det = log_det - alpha.sum(1)
    return x, log_det


def maf_log_prob(x, layers):
    z, log_det = back(x, layers)
    return base(z) + log_det


def maf_sample(z, layers):
    x = z
    for layer in range(1, layers + 1):
        start, guess = x, x
        while True:
            mu, alpha = conditioner(guess, layer)
            better = start * alpha.exp() + mu
            if torch.equal(better, guess):
                break
            guess = better
        x = guess
    return x, -back(x, layers)[1]


# %% wrong: density_first_layer
"""
caught_by: task2_test_a
says: "only layer 1"
why: "one layer whatever is asked"

-     for layer in range(layers, 0, -1):
+     for layer in (1,):
"""

# %% wrong: density_first_net
"""
caught_by: task2_test_a
says: "network of layer 1"
why: "all layers share the first network"

-     for layer in range(layers, 0, -1):
-         mu, alpha = conditioner(x, layer)
+     for _ in range(layers):
+         mu, alpha = conditioner(x, 1)
"""

# %% wrong: density_forward
"""
caught_by: task2_test_a
says: "pushed through z -> x again"
why: "scores with the generating map"

-         x = (x - mu) * (-alpha).exp()
+         x = x * alpha.exp() + mu
"""

# %% wrong: eight_passes
"""
caught_by: task2_test_b
says: "too few passes"
why: "eight passes, whatever the dimension"

-         for _ in range(z.shape[1]):
+         for _ in range(8):
"""

# %% wrong: fills_forward_noise
"""
caught_by: task2_test_b
says: "those after it"
why: "fills the entries of every layer from the first, starting from noise"

-         x = torch.zeros_like(z)
-         for _ in range(z.shape[1]):
+         x = z.clone()
+         for i in range(z.shape[1]):
              mu, alpha = conditioner(x, layer)
-             x = z * alpha.exp() + mu
+             x[:, i] = z[:, i] * alpha[:, i].exp() + mu[:, i]
"""

# %% wrong: fills_forward_zeros
"""
caught_by: task2_test_b
says: "those after it"
why: "fills the entries of every layer from the first, starting from zeros"

-         for _ in range(z.shape[1]):
+         for i in range(z.shape[1]):
              mu, alpha = conditioner(x, layer)
-             x = z * alpha.exp() + mu
+             x[:, i] = z[:, i] * alpha[:, i].exp() + mu[:, i]
"""

# %% wrong: first_layer_only
"""
caught_by: task2_test_b
says: "first layer only"
why: "the sampler stops after the first layer"

-     for layer in range(1, layers + 1):
+     for layer in (1,):
"""

# %% wrong: first_net_only
"""
caught_by: task2_test_b
says: "layer 1 in every layer"
why: "the published fault: D steps with the first network of the stack"

-     for layer in range(1, layers + 1):
+     for _ in range(layers):

-             mu, alpha = conditioner(x, layer)
+             mu, alpha = conditioner(x, 1)
"""

# %% wrong: flips_again
"""
caught_by: task2_test_b
says: "the network has done it already"
why: "turns the variables round between the layers"

-         x = (x - mu) * (-alpha).exp()
-         log_det = log_det - alpha.sum(1)
+         x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)

-         z, total = x, total + alpha.sum(1)
+         z, total = x.flip(1), total + alpha.sum(1)
"""

# %% wrong: float32
"""
caught_by: task2_test_b
says: "keep the dtype"
why: "works in float32 inside"

-     return z, total
+     return z.float(), total.float()
"""

# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "which this task does not allow"
why: "calls flowlib's flow"
"""

from flowlib.models import MAF


def maf_log_prob(x, layers):
    return MAF(x.shape[1], layers=layers).to(x.dtype).log_prob(x).detach()


def maf_sample(z, layers):
    x, log_det = MAF(z.shape[1], layers=layers).to(z.dtype).bijection(z)
    return x.detach(), log_det.detach()


# %% wrong: four_passes
"""
caught_by: task2_test_b
says: "too few passes"
why: "enough for the visible dimensions only"

-         for _ in range(z.shape[1]):
+         for _ in range(4):
"""

# %% wrong: hard_coded
"""
caught_by: task2_test_a
says: "log p has shape"
why: "the numbers of the example"
"""


def maf_log_prob(x, layers):
    return torch.tensor([-2.8014], dtype=x.dtype)


def maf_sample(z, layers):
    return torch.tensor([[2.2659, -0.5668]], dtype=z.dtype), torch.tensor([-0.0365], dtype=z.dtype)


# %% wrong: iaf
"""
caught_by: task2_test_b
says: "what you wrote is an IAF"
why: "conditions on z: one pass, another model"

-             mu, alpha = conditioner(x, layer)
+             mu, alpha = conditioner(z, layer)
"""

# %% wrong: identity_sampler
"""
caught_by: task2_test_b
says: "nothing moved"
why: "returns the noise"

-         z, total = x, total + alpha.sum(1)
+         total = total + alpha.sum(1)
"""

# %% wrong: inverse_map
"""
caught_by: task2_test_b
says: "from x to z"
why: "samples with the normalising map"

-     for layer in range(1, layers + 1):
-         x = torch.zeros_like(z)
-         for _ in range(z.shape[1]):
-             mu, alpha = conditioner(x, layer)
-             x = z * alpha.exp() + mu
-         z, total = x, total + alpha.sum(1)
+     for layer in range(layers, 0, -1):
+         mu, alpha = conditioner(z, layer)
+         z, total = (z - mu) * (-alpha).exp(), total + alpha.sum(1)
"""

# %% wrong: log_det_at_z
"""
caught_by: task2_test_b
says: "finished x"
why: "alpha is taken at z"

-         z, total = x, total + alpha.sum(1)
+         total = total + conditioner(z, layer)[1].sum(1)
+         z = x
"""

# %% wrong: log_det_last_layer
"""
caught_by: task2_test_b
says: "last layer alone"
why: "overwrites instead of adding"

-         z, total = x, total + alpha.sum(1)
+         z, total = x, alpha.sum(1)
"""

# %% wrong: log_det_sign
"""
caught_by: task2_test_a
says: "wrong sign"
why: "the other direction's log-determinant"

-         log_det = log_det - alpha.sum(1)
+         log_det = log_det + alpha.sum(1)
"""

# %% wrong: loose_stop
"""
caught_by: task2_test_b
says: "too few passes"
why: "ends when x moves by less than a hundredth"

-         x = (x - mu) * (-alpha).exp()
-         log_det = log_det - alpha.sum(1)
+         x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)

-         for _ in range(z.shape[1]):
+         while True:
              mu, alpha = conditioner(x, layer)
-             x = z * alpha.exp() + mu
+             new = z * alpha.exp() + mu
+             done = (new - x).abs().max() < 1e-2
+             x = new
+             if done:
+                 break
"""

# %% wrong: mean
"""
caught_by: task2_test_a
says: "one number for each point, not one for the whole batch"
why: "one number for the batch"

-     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det
+     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1).mean() + log_det.mean()
"""

# %% wrong: no_constant
"""
caught_by: task2_test_a
says: "log(2 pi) of the base is missing"
why: "drops the constant"

-     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det
+     return -0.5 * (x**2).sum(1) + log_det
"""

# %% wrong: no_half
"""
caught_by: task2_test_a
says: "the factor 1/2 before"
why: "the base without its 1/2"

-         x = (x - mu) * (-alpha).exp()
-         log_det = log_det - alpha.sum(1)
-     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det
+         x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)
+     return -(x**2 + 0.5 * math.log(2 * math.pi)).sum(1) + log_det
"""

# %% wrong: no_log_det
"""
caught_by: task2_test_a
says: "the log-determinant is left out"
why: "scores z only"

-     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det
+     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1)
"""

# %% wrong: normal
"""
caught_by: task2_test_a
says: "density of the base at x"
why: "constant model: a standard normal density with nothing moved"
"""


def maf_log_prob(x, layers):
    return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1)


def maf_sample(z, layers):
    return z, torch.zeros(len(z), dtype=z.dtype)


# %% wrong: one_constant
"""
caught_by: task2_test_a
says: "the constant of one dimension"
why: "half log 2 pi once instead of D times"

-         x = (x - mu) * (-alpha).exp()
-         log_det = log_det - alpha.sum(1)
-     return -0.5 * (x**2 + math.log(2 * math.pi)).sum(1) + log_det
+         x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)
+     return -0.5 * (x**2).sum(1) - 0.5 * math.log(2 * math.pi) + log_det
"""

# %% wrong: one_pass
"""
caught_by: task2_test_b
says: "one pass from x = 0"
why: "one round only"

-         for _ in range(z.shape[1]):
+         for _ in range(1):
"""

# %% wrong: order
"""
caught_by: task2_test_a
says: "the last must come first"
why: "undoes the layers from first to last"

-     for layer in range(layers, 0, -1):
+     for layer in range(1, layers + 1):
"""

# %% wrong: pass_missing
"""
caught_by: task2_test_b
says: "one pass is missing"
why: "one round too few"

-         for _ in range(z.shape[1]):
+         for _ in range(z.shape[1] - 1):
"""

# %% wrong: sampler_order
"""
caught_by: task2_test_b
says: "from the last to the first"
why: "samples in the order of scoring"

-     for layer in range(1, layers + 1):
+     for layer in range(layers, 0, -1):
"""

# %% wrong: sampler_sign
"""
caught_by: task2_test_b
says: "the sign is flipped"
why: "the inverse's log-determinant"

-     return z, total
+     return z, -total
"""

# %% wrong: scale_again
"""
caught_by: task2_test_a
says: "instead of divided"
why: "multiplies by exp(alpha) on the way back"

-         x = (x - mu) * (-alpha).exp()
+         x = (x - mu) * alpha.exp()
"""

# %% wrong: shift_last
"""
caught_by: task2_test_a
says: "undone last"
why: "divides first, then shifts"

-         x = (x - mu) * (-alpha).exp()
+         x = x * (-alpha).exp() - mu
"""

# %% wrong: ten_passes
"""
caught_by: task2_test_b
says: "too few passes"
why: "ten passes, whatever the dimension"

-         for _ in range(z.shape[1]):
+         for _ in range(10):
"""

# %% wrong: twelve_passes
"""
caught_by: task2_test_b
says: "too few passes"
why: "twelve passes, whatever the dimension"

-         x = (x - mu) * (-alpha).exp()
-         log_det = log_det - alpha.sum(1)
+         x, log_det = (x - mu) * (-alpha).exp(), log_det - alpha.sum(1)

-         for _ in range(z.shape[1]):
+         for _ in range(12):
"""
