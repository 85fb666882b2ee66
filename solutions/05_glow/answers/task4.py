# %% right: autograd
"""
why: "derivatives from autograd, levels by counting borders"
"""


def to_logits(x, u, levels, alpha):
    v = (x + u).detach().requires_grad_()
    with torch.enable_grad():
        p = alpha + (1 - 2 * alpha) * v / levels
        w = p.log() - torch.log1p(-p)
        slope = torch.autograd.grad(w.sum(), v)[0]
    return w.detach(), slope.log().sum(dim=(1, 2, 3))


def to_pixels(w, levels, alpha):
    p = alpha + (1 - 2 * alpha) * torch.arange(1, levels, dtype=w.dtype) / levels
    return torch.bucketize(w, torch.logit(p), right=True)


def bits(log_prob, log_det, size):
    nats = log_prob + log_det
    return -nats / math.log(2.0**size) if size < 1000 else -nats / (size * math.log(2.0))


# %% right: steps
"""
why: "three steps, three logarithms"
"""


def to_logits(x, u, levels, alpha):
    y = (x + u) / levels
    p = alpha + (1 - 2 * alpha) * y
    w = torch.log(p / (1 - p))
    steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
    return w, steps.sum((1, 2, 3))


def to_pixels(w, levels, alpha):
    p = 1 / (1 + torch.exp(-w))
    y = (p - alpha) / (1 - 2 * alpha)
    return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)


def bits(log_prob, log_det, size):
    return -(log_prob + log_det) / math.log(2) / size


# %% right: torch
"""
why: "torch.logit, softplus for the derivative, clamping before flooring"
"""

import torch.nn.functional as F


def to_logits(x, u, levels, alpha):
    inside = 1 - 2 * alpha
    w = torch.logit(alpha + inside * (x.to(u.dtype) + u) / levels)
    log_derivative = F.softplus(w) + F.softplus(-w)
    constant = w[0].numel() * math.log(inside / levels)
    return w, log_derivative.flatten(1).sum(-1) + constant


def to_pixels(w, levels, alpha):
    v = levels * (w.sigmoid() - alpha) / (1 - 2 * alpha)
    return torch.minimum(v.clamp(min=0), torch.tensor(levels - 1.0)).int().long()


def bits(log_prob, log_det, size):
    return torch.stack([-(a + b) / size for a, b in zip(log_prob, log_det, strict=True)]) * math.log2(math.e)


# %% wrong: alpha_not_undone
"""
caught_by: task4_test_b
says: "squeeze by alpha is not undone"
why: "p for y"
from: steps

-     y = (p - alpha) / (1 - 2 * alpha)
+     y = p
"""

# %% wrong: back_constant
"""
caught_by: task4_test_b
says: "the image is blank"
why: "a blank image"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.zeros_like(w, dtype=torch.int64)
"""

# %% wrong: back_flowlib
"""
caught_by: task4_test_b
says: "uses fi.quantize"
why: "flowlib's finished function"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     import flowlib.image as fi
+     return fi.quantize(y, levels)
"""

# %% wrong: back_half
"""
caught_by: task4_test_b
says: "half a level is taken off"
why: "rounds to the middle of a level, towards zero"

-     return (levels * y).floor().clamp(0, levels - 1).long()
+     return (levels * y - 0.5).trunc().clamp(0, levels - 1).long()
"""

# %% wrong: back_levels_minus_one
"""
caught_by: task4_test_b
says: "not levels - 1"
why: "n - 1 intervals on the way back"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.floor(y * (levels - 1)).clamp(0, levels - 1).to(torch.int64)
"""

# %% wrong: batch_sum
"""
caught_by: task4_test_a
says: "not one for the whole batch"
why: "summed over the batch too"
from: steps

-     return w, steps.sum((1, 2, 3))
+     return w, steps.sum()
"""

# %% wrong: bits_float32
"""
caught_by: task4_test_c
says: "float32, expected float64"
why: "bits in float32"

-     return -(log_prob + log_det) / (size * math.log(2))
+     return -(log_prob.float() + log_det.float()) / (size * math.log(2))
"""

# %% wrong: bits_flowlib
"""
caught_by: task4_test_c
says: "uses fi.bits_per_dim"
why: "flowlib's finished function"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     import flowlib.image as fi
+     return fi.bits_per_dim(log_prob, size, 1, log_det)
"""

# %% wrong: bits_mean
"""
caught_by: task4_test_c
says: "not one for the whole batch"
why: "averaged over the batch"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -(log_prob + log_det).mean() / math.log(2) / size
"""

# %% wrong: bits_minus_log_det
"""
caught_by: task4_test_c
says: "log_det is subtracted"
why: "the wrong direction"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -(log_prob - log_det) / math.log(2) / size
"""

# %% wrong: bits_nats
"""
caught_by: task4_test_c
says: "these are nats"
why: "no log 2"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -(log_prob + log_det) / size
"""

# %% wrong: bits_no_log_det
"""
caught_by: task4_test_c
says: "log_det is not used"
why: "the density of w"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -log_prob / math.log(2) / size
"""

# %% wrong: bits_not_per_dim
"""
caught_by: task4_test_c
says: "bits of the whole image"
why: "not divided by the size"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -(log_prob + log_det) / math.log(2)
"""

# %% wrong: bits_numel
"""
caught_by: task4_test_c
says: "divided by the number of images"
why: "divides by the number of images"

-     return -(log_prob + log_det) / (size * math.log(2))
+     return -(log_prob + log_det) / (log_prob.numel() * math.log(2))
"""

# %% wrong: bits_sign
"""
caught_by: task4_test_c
says: "sign is flipped"
why: "plus"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return (log_prob + log_det) / math.log(2) / size
"""

# %% wrong: bits_times_log_2
"""
caught_by: task4_test_c
says: "multiplied instead of divided"
why: "nats to bits the wrong way"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return -(log_prob + log_det) * math.log(2) / size
"""

# %% wrong: bits_uniform
"""
caught_by: task4_test_c
says: "the bits of a uniform density"
why: "always what a uniform flow gets"
from: steps

-     return -(log_prob + log_det) / math.log(2) / size
+     return torch.full_like(log_prob, math.log2(17))
"""

# %% wrong: byte_levels
"""
caught_by: task4_test_a
says: "256 levels are taken"
why: "256 levels written into the code"
from: steps

-     y = (x + u) / levels
+     y = (x + u) / 256
"""

# %% wrong: clamp_to_levels
"""
caught_by: task4_test_b
says: "must go to the ends"
why: "the highest level is n - 1"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.floor(y * levels).clamp(0, levels).to(torch.int64)
"""

# %% wrong: float32
"""
caught_by: task4_test_a
says: "keep the dtype"
why: "all becomes float32"
from: steps

-     y = (x + u) / levels
+     y = (x + u).float() / levels
"""

# %% wrong: flowlib
"""
caught_by: task4_test_a
says: "uses logit_pixels"
why: "flowlib's finished layer"
from: steps

-     y = (x + u) / levels
-     p = alpha + (1 - 2 * alpha) * y
-     w = torch.log(p / (1 - p))
-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
-     return w, steps.sum((1, 2, 3))
+     from flowlib.image import logit_pixels
+     w, log_det = logit_pixels(alpha).inverse((x + u) / levels)
+     return w, log_det - w[0].numel() * math.log(levels)
"""

# %% wrong: levels_minus_one
"""
caught_by: task4_test_a
says: "divided by levels - 1"
why: "255 for 256"
from: steps

-     y = (x + u) / levels
+     y = (x + u) / (levels - 1)
"""

# %% wrong: levels_once
"""
caught_by: task4_test_a
says: "counted once"
why: "one log(levels) for the whole image"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
-     return w, steps.sum((1, 2, 3))
+     steps = math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     return w, steps.sum((1, 2, 3)) - math.log(levels)
"""

# %% wrong: levels_sign
"""
caught_by: task4_test_a
says: "levels has the wrong sign"
why: "plus for minus"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
"""

# %% wrong: logit_only
"""
caught_by: task4_test_a
says: "both constants"
why: "only the logit is counted"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = -torch.log(p * (1 - p))
"""

# %% wrong: mean
"""
caught_by: task4_test_a
says: "the mean over the dimensions"
why: "mean for sum"
from: steps

-     return w, steps.sum((1, 2, 3))
+     return w, steps.mean((1, 2, 3))
"""

# %% wrong: no_alpha
"""
caught_by: task4_test_a
says: "alpha is not used"
why: "the logit of y"
from: steps

-     p = alpha + (1 - 2 * alpha) * y
+     p = y
"""

# %% wrong: no_alpha_factor
"""
caught_by: task4_test_a
says: "factor 1 - 2 alpha is left out"
why: "the squeeze's own derivative forgotten"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = -math.log(levels) - torch.log(p * (1 - p))
"""

# %% wrong: no_clamp
"""
caught_by: task4_test_b
says: "must go to the ends"
why: "samples outside stay outside"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.floor(y * levels).to(torch.int64)
"""

# %% wrong: no_floor
"""
caught_by: task4_test_b
says: "the noise is still in it"
why: "v instead of x"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return (y * levels).clamp(0, levels - 1)
"""

# %% wrong: no_levels
"""
caught_by: task4_test_a
says: "division by levels is left out"
why: "the constant of dequantization forgotten"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
"""

# %% wrong: no_log
"""
caught_by: task4_test_a
says: "without their logarithm"
why: "derivatives added"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = (1 - 2 * alpha) / levels / (p * (1 - p))
"""

# %% wrong: no_logit
"""
caught_by: task4_test_a
says: "its logit is missing"
why: "stops at p"
from: steps

-     w = torch.log(p / (1 - p))
+     w = p
"""

# %% wrong: no_noise
"""
caught_by: task4_test_a
says: "noise u is not used"
why: "no dequantization"
from: steps

-     y = (x + u) / levels
+     y = x.to(u.dtype) / levels
"""

# %% wrong: noise_after
"""
caught_by: task4_test_a
says: "added after dividing"
why: "noise as wide as the whole range"
from: steps

-     y = (x + u) / levels
+     y = x / levels + u
"""

# %% wrong: noise_twice
"""
caught_by: task4_test_a
says: "divided by levels twice"
why: "noise n times too narrow"
from: steps

-     y = (x + u) / levels
+     y = (x + u / levels) / levels
"""

# %% wrong: not_int
"""
caught_by: task4_test_b
says: "torch.int64"
why: "whole numbers as floating-point"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.floor(y * levels).clamp(0, levels - 1)
"""

# %% wrong: not_summed
"""
caught_by: task4_test_a
says: "sum over the dimensions of each point"
why: "one number for each pixel"
from: steps

-     return w, steps.sum((1, 2, 3))
+     return w, steps
"""

# %% wrong: odds_flipped
"""
caught_by: task4_test_a
says: "logarithm of the odds has the wrong sign"
why: "(1 - p) / p"
from: steps

-     w = torch.log(p / (1 - p))
+     w = torch.log((1 - p) / p)
"""

# %% wrong: one_alpha
"""
caught_by: task4_test_a
says: "it is 1 - 2 alpha"
why: "1 - alpha for 1 - 2 alpha"
from: steps

-     p = alpha + (1 - 2 * alpha) * y
+     p = alpha + (1 - alpha) * y
"""

# %% wrong: rounds
"""
caught_by: task4_test_b
says: "rounded up"
why: "round for floor"
from: steps

-     return torch.floor(y * levels).clamp(0, levels - 1).to(torch.int64)
+     return torch.round(y * levels).clamp(0, levels - 1).to(torch.int64)
"""

# %% wrong: sigmoid_derivative
"""
caught_by: task4_test_a
says: "yours is its inverse"
why: "p (1 - p) for 1 / (p (1 - p))"
from: steps

-     steps = -math.log(levels) + math.log(1 - 2 * alpha) - torch.log(p * (1 - p))
+     steps = -math.log(levels) + math.log(1 - 2 * alpha) + torch.log(p * (1 - p))
"""

# %% wrong: sign
"""
caught_by: task4_test_a
says: "sign is flipped"
why: "the log-determinant of the way back"
from: steps

-     return w, steps.sum((1, 2, 3))
+     return w, -steps.sum((1, 2, 3))
"""

# %% wrong: zero
"""
caught_by: task4_test_a
says: "left out (zero)"
why: "no log-determinant"
from: steps

-     return w, steps.sum((1, 2, 3))
+     return w, 0 * steps.sum((1, 2, 3))
"""
