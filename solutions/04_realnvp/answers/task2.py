# %% right: arctan
"""
why: "arctangent"
"""


def bounded(raw, limit):
    width = 2 * limit / math.pi
    return width * torch.atan(raw / width)


# %% right: softsign
"""
why: "softsign"
"""


def bounded(raw, limit):
    return raw / (1 + raw.abs() / limit)


# %% wrong: bump
"""
caught_by: task2_test
says: "exceeds the limit"
why: "far outside the limit for raw between 16 and 40"
"""


def bounded(raw, limit):
    far = (raw.abs() > 16) & (raw.abs() < 40)
    return limit * torch.tanh(raw / limit) + 1000 * raw.sign() * far.to(raw.dtype)


# %% wrong: clamp
"""
caught_by: task2_test
says: "it is cut off, and flat"
why: "flat outside, so no gradient comes back"
"""


def bounded(raw, limit):
    return raw.clamp(-limit, limit)


# %% wrong: constant
"""
caught_by: task2_test
says: "does not depend on raw"
why: "constant"
"""


def bounded(raw, limit):
    return torch.zeros_like(raw)


# %% wrong: detached
"""
caught_by: task2_test
says: "no gradient reaches"
why: "the right curve on a detached copy: autograd cannot follow"
"""


def bounded(raw, limit):
    return limit * torch.tanh(raw.detach() / limit)


# %% wrong: hard_coded
"""
caught_by: task2_test
says: "the limit of the example"
why: "right for the limit of the example only"
"""


def bounded(raw, limit):
    return 3.0 * torch.tanh(raw / 3.0)


# %% wrong: identity
"""
caught_by: task2_test
says: "there is no bound"
why: "no bound"
"""


def bounded(raw, limit):
    return raw


# %% wrong: in_place
"""
caught_by: task2_test
says: "in place"
why: "changes what the network returned"
"""


def bounded(raw, limit):
    return raw.div_(limit).tanh_().mul_(limit)


# %% wrong: one_sided
"""
caught_by: task2_test
says: "exceeds the limit"
why: "a bound above and none below"
"""


def bounded(raw, limit):
    return limit - torch.nn.functional.softplus(limit - raw) + math.log1p(math.exp(limit)) - limit


# %% wrong: piecewise_flat
"""
caught_by: task2_test
says: "flat"
why: "a hard clip in other words"
"""


def bounded(raw, limit):
    return 0.5 * ((raw + limit).abs() - (raw - limit).abs())


# %% wrong: quotient
"""
caught_by: task2_test
says: "infinity over infinity"
why: "infinity over infinity in float32"
"""


def bounded(raw, limit):
    return (
        limit * raw / (limit**2 + raw**2).sqrt()
        if raw.dtype == torch.float64
        else limit * raw.exp() / raw.exp()
    )


# %% wrong: sigmoid
"""
caught_by: task2_test
says: "a sigmoid lies between"
why: "one-sided"
"""


def bounded(raw, limit):
    return limit * torch.sigmoid(raw)


# %% wrong: tanh_only
"""
caught_by: task2_test
says: "the limit is not used"
why: "forgets the limit"
"""


def bounded(raw, limit):
    return torch.tanh(raw)


# %% wrong: tanh_unscaled
"""
caught_by: task2_test
says: "only one axis is stretched"
why: "stretches one axis only"
"""


def bounded(raw, limit):
    return limit * torch.tanh(raw)
