# %% right: columns
"""
why: "column by column with a running sum"
"""


def coupling_forward(z, mask):
    moving = [i for i in range(z.shape[1]) if not mask[i]]
    s, t = conditioner(z[:, mask], len(moving))
    columns = list(z.unbind(1))
    log_det = 0
    for place, i in enumerate(moving):
        columns[i] = columns[i] * s[:, place].exp() + t[:, place]
        log_det = log_det + s[:, place]
    return torch.stack(columns, 1), log_det


def coupling_inverse(x, mask):
    moving = [i for i in range(x.shape[1]) if not mask[i]]
    s, t = conditioner(x[:, mask], len(moving))
    columns = list(x.unbind(1))
    log_det = 0
    for place, i in enumerate(moving):
        columns[i] = (columns[i] - t[:, place]) * (-s[:, place]).exp()
        log_det = log_det - s[:, place]
    return torch.stack(columns, 1), log_det


# %% right: index
"""
why: "index_select and index_copy, division instead of a negative exponent"
"""


def parts(mask):
    return mask.nonzero().flatten(), (~mask).nonzero().flatten()


def coupling_forward(z, mask):
    stay, move = parts(mask)
    s, t = conditioner(z.index_select(1, stay), len(move))
    moved = z.index_select(1, move) * torch.exp(s) + t
    return z.index_copy(1, move, moved), s.sum(-1)


def coupling_inverse(x, mask):
    stay, move = parts(mask)
    s, t = conditioner(x.index_select(1, stay), len(move))
    moved = (x.index_select(1, move) - t) / torch.exp(s)
    return x.index_copy(1, move, moved), -s.sum(-1)


# %% wrong: abs_scale
"""
caught_by: task1_test_a
says: "exp(|s|), always a stretch"
why: "stretches only: the scale is taken as exp of |s|"

-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
-     return x, s.sum(1)
+     x[:, ~mask] = z[:, ~mask] * s.abs().exp() + t
+     return x, s.abs().sum(1)
"""

# %% wrong: blocks
"""
caught_by: task1_test_a
says: "joined as two blocks"
why: "joins the parts as two blocks: right in two dimensions only"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    return torch.cat([z[:, mask], z[:, ~mask] * s.exp() + t], 1), s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    return torch.cat([x[:, mask], (x[:, ~mask] - t) * (-s).exp()], 1), -s.sum(1)


# %% wrong: directions
"""
caught_by: task1_test_a
says: "this is the inverse map"
why: "forward is the inverse"

-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
+     x[:, ~mask] = (z[:, ~mask] - t) * (-s).exp()
"""

# %% wrong: even_only
"""
caught_by: task1_test_a
says: "your code raised RuntimeError"
why: "takes for granted that half of the entries move"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     half = z.shape[1] // 2
+     s, t = conditioner(z[:, mask], half)
"""

# %% wrong: float32
"""
caught_by: task1_test_a
says: "keep the dtype"
why: "turns everything to float32"

-     return x, s.sum(1)
+     return x.float(), s.sum(1).float()
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "which this task does not allow"
why: "calls the finished layer"

+ from flowlib.coupling import Coupling
+ from flowlib.scalar import AffineTransformer
  def coupling_forward(z, mask):

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
-     x = z.clone()
-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
-     return x, s.sum(1)
+     return Coupling(len(mask), mask, lambda stay: None, AffineTransformer())(z)
"""

# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "shape"
why: "returns the example of the statement"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
-     x = z.clone()
-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
-     return x, s.sum(1)
+     return torch.tensor([[1.0, 10.2750, 3.0]]), torch.tensor([-0.7671])
"""

# %% wrong: identity
"""
caught_by: task1_test_a
says: "nothing moved"
why: "nothing moves"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     s, _ = conditioner(z[:, mask], int((~mask).sum()))
      x = z.clone()
-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
+     x[:, ~mask] = z[:, ~mask]
"""

# %% wrong: in_place
"""
caught_by: task1_test_a
says: "in place"
why: "writes the result into its argument"
"""


def coupling_forward(z, mask):
    s, t = conditioner(z[:, mask], int((~mask).sum()))
    z[:, ~mask] = z[:, ~mask] * s.exp() + t
    return z, s.sum(1)


def coupling_inverse(x, mask):
    s, t = conditioner(x[:, mask], int((~mask).sum()))
    x[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
    return x, -s.sum(1)


# %% wrong: inverse_again
"""
caught_by: task1_test_b
says: "the forward map again"
why: "runs forward again"

-     s, t = conditioner(x[:, mask], int((~mask).sum()))
-     z = x.clone()
-     z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
-     return z, -s.sum(1)
+     z, log_det = coupling_forward(x, mask)
+     return z, -log_det
"""

# %% wrong: inverse_no_shift
"""
caught_by: task1_test_b
says: "shift is not taken off"
why: "leaves the shift in"

-     s, t = conditioner(x[:, mask], int((~mask).sum()))
+     s, _ = conditioner(x[:, mask], int((~mask).sum()))
      z = x.clone()
-     z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
+     z[:, ~mask] = x[:, ~mask] * (-s).exp()
"""

# %% wrong: inverse_scale
"""
caught_by: task1_test_b
says: "multiplied again"
why: "multiplies again"

-     z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
+     z[:, ~mask] = (x[:, ~mask] - t) * s.exp()
"""

# %% wrong: inverse_sign
"""
caught_by: task1_test_b
says: "the sign is flipped"
why: "forward's log-determinant"

-     return z, -s.sum(1)
+     return z, s.sum(1)
"""

# %% wrong: inverse_unchanged
"""
caught_by: task1_test_b
says: "comes back unchanged"
why: "returns its input"

-     s, t = conditioner(x[:, mask], int((~mask).sum()))
-     z = x.clone()
-     z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
-     return z, -s.sum(1)
+     s, _ = conditioner(x[:, mask], int((~mask).sum()))
+     return x, -s.sum(1)
"""

# %% wrong: inverse_undo
"""
caught_by: task1_test_b
says: "undone last"
why: "undoes the scale first"

-     z[:, ~mask] = (x[:, ~mask] - t) * (-s).exp()
+     z[:, ~mask] = x[:, ~mask] * (-s).exp() - t
"""

# %% wrong: log_det_batch
"""
caught_by: task1_test_a
says: "one number for each point"
why: "one number for the whole batch"

-     return x, s.sum(1)
+     return x, s.sum()
"""

# %% wrong: log_det_counts_stay
"""
caught_by: task1_test_a
says: "times D: it is their sum"
why: "averages over what moves and multiplies by D"

-     return x, s.sum(1)
+     return x, len(mask) * s.mean(1)
"""

# %% wrong: log_det_exp
"""
caught_by: task1_test_a
says: "the logarithm is missing"
why: "the determinant itself"

-     return x, s.sum(1)
+     return x, s.exp().prod(1)
"""

# %% wrong: log_det_mean
"""
caught_by: task1_test_a
says: "the mean over the entries that move"
why: "averages over the entries"

-     return x, s.sum(1)
+     return x, s.mean(1)
"""

# %% wrong: log_det_sign
"""
caught_by: task1_test_a
says: "the sign is flipped"
why: "the inverse's log-determinant"

-     return x, s.sum(1)
+     return x, -s.sum(1)
"""

# %% wrong: log_det_zero
"""
caught_by: task1_test_a
says: "left out"
why: "leaves the log-determinant out"

-     return x, s.sum(1)
+     return x, torch.zeros_like(z[:, 0])
"""

# %% wrong: mask_flipped
"""
caught_by: task1_test_a
says: "the wrong way round"
why: "takes True for what moves"

+     mask = ~mask
      s, t = conditioner(z[:, mask], int((~mask).sum()))
"""

# %% wrong: no_exp
"""
caught_by: task1_test_a
says: "exponential is missing"
why: "s itself as the scale"

-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
+     x[:, ~mask] = z[:, ~mask] * s + t
"""

# %% wrong: no_shift
"""
caught_by: task1_test_a
says: "shift t is missing"
why: "forgets the shift"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     s, _ = conditioner(z[:, mask], int((~mask).sum()))
      x = z.clone()
-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
+     x[:, ~mask] = z[:, ~mask] * s.exp()
"""

# %% wrong: sees_all
"""
caught_by: task1_test_a
says: "sees the whole point"
why: "conditions on the whole point"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     s, t = conditioner(z, int((~mask).sum()))
"""

# %% wrong: sees_move
"""
caught_by: task1_test_a
says: "sees the part that moves"
why: "conditions on what moves"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     s, t = conditioner(z[:, ~mask], int((~mask).sum()))
"""

# %% wrong: shift_first
"""
caught_by: task1_test_a
says: "added before the scale"
why: "adds the shift before scaling"

-     x[:, ~mask] = z[:, ~mask] * s.exp() + t
+     x[:, ~mask] = (z[:, ~mask] + t) * s.exp()
"""

# %% wrong: swapped
"""
caught_by: task1_test_a
says: "swapped"
why: "takes the outputs in the wrong order"

-     s, t = conditioner(z[:, mask], int((~mask).sum()))
+     t, s = conditioner(z[:, mask], int((~mask).sum()))
"""

# %% wrong: two_kinds_of_mask
"""
caught_by: task1_test_a
says: "every mask"
why: "knows blocks and alternating masks only"
"""


def parts(mask):
    # a mask is either a block at one end, or every second place
    D, k = len(mask), int(mask.sum())
    if bool(mask[:k].all()):
        return torch.arange(k), torch.arange(k, D)
    if bool(mask[D - k :].all()):
        return torch.arange(D - k, D), torch.arange(D - k)
    first = 0 if bool(mask[0]) else 1
    return torch.arange(first, D, 2), torch.arange(1 - first, D, 2)


def coupling_forward(z, mask):
    stay, move = parts(mask)
    s, t = conditioner(z[:, stay], len(move))
    x = z.clone()
    x[:, move] = z[:, move] * s.exp() + t
    return x, s.sum(1)


def coupling_inverse(x, mask):
    stay, move = parts(mask)
    s, t = conditioner(x[:, stay], len(move))
    z = x.clone()
    z[:, move] = (x[:, move] - t) * (-s).exp()
    return z, -s.sum(1)
