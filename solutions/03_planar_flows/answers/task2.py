# %% right: across
"""
why: keeps the part of u across w and replaces the part along it
"""


def constrain(u, w):
    square = torch.dot(w, w)
    t = torch.dot(w, u)
    across = u - t / square * w
    return across + (torch.logaddexp(torch.zeros_like(t), t) - 1) / square * w


# %% right: double_inside
"""
why: computes in float64 and casts back
"""


def constrain(u, w):
    a, c = u.double(), w.double()
    t = torch.dot(a, c)
    m = torch.logaddexp(t, torch.zeros_like(t)) - 1
    return torch.add(a, c, alpha=float((m - t) / c.square().sum())).to(u.dtype)


# %% right: where
"""
why: computes log(1 + e^t) as max(t, 0) + log1p(exp(-|t|))
"""


def constrain(u, w):
    t = (w * u).sum()
    m = -1 + torch.maximum(t, torch.zeros_like(t)) + torch.log1p(torch.exp(-t.abs()))
    return u + w * (m - t) / w.square().sum()


# %% wrong: along_u
"""
caught_by: task2_test_a
says: "not a multiple of w"
why: corrects along u instead of along w
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * u / t


# %% wrong: clamp
"""
caught_by: task2_test_a
says: "smooth function"
why: cuts w.u off at -1
"""


def constrain(u, w):
    t = w @ u
    return u + (t.clamp(min=-1.0) - t) * w / (w @ w)


# %% wrong: exponential_map
"""
caught_by: task2_test_a
says: is it another function than m
why: another increasing map above -1
"""


def constrain(u, w):
    t = w @ u
    return u + (torch.expm1(t.clamp(max=20)) - t) * w / (w @ w)


# %% wrong: float32
"""
caught_by: task2_test_a
says: "keep the dtype"
why: computes in float32
"""


def constrain(u, w):
    u, w = u.float(), w.float()
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w / (w @ w)


# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "uses Planar"
why: asks flowlib's layer
"""

from flowlib.planar import Planar


def constrain(u, w):
    layer = Planar(len(w)).to(w.dtype)
    layer.load_state_dict({"w": w, "u": u, "b": torch.zeros(())})
    return layer.constrained_u()[0].detach()


# %% wrong: hard_coded
"""
caught_by: task2_test_a
says: not a multiple of w
why: returns the example
"""


def constrain(u, w):
    return torch.tensor([-0.4365, 3.0])


# %% wrong: m_only
"""
caught_by: task2_test_a
says: "not taken off"
why: adds m instead of m - w.u
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1) * w / (w @ w)


# %% wrong: no_minus_one
"""
caught_by: task2_test_a
says: "-1 in m is missing"
why: w.u_hat = log(1 + e^t), too strict
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - t) * w / (w @ w)


# %% wrong: norm
"""
caught_by: task2_test_a
says: "divided by |w|^2"
why: divides by the norm instead of its square
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w / w.norm()


# %% wrong: not_divided
"""
caught_by: task2_test_a
says: "not divided by |w|^2"
why: does not divide at all
"""


def constrain(u, w):
    t = w @ u
    return u + (F.softplus(t) - 1 - t) * w


# %% wrong: only_if_folding
"""
caught_by: task2_test_a
says: only a w.u below -1 is moved
why: corrects only what would fold
"""


def constrain(u, w):
    t = w @ u
    if t >= -1:
        return u
    return u + (F.softplus(t) - 1 - t) * w / (w @ w)


# %% wrong: overflow
"""
caught_by: task2_test_b
says: "exp overflows"
why: log(1 + exp(t)) as it is written
"""


def constrain(u, w):
    t = w @ u
    return u + (torch.log(1 + torch.exp(t)) - 1 - t) * w / (w @ w)


# %% wrong: scales_u
"""
caught_by: task2_test_a
says: "not a multiple of w"
why: scales the whole of u
"""


def constrain(u, w):
    t = w @ u
    return u * (F.softplus(t) - 1) / t


# %% wrong: sign
"""
caught_by: task2_test_a
says: "sign of the correction"
why: moves u the wrong way
"""


def constrain(u, w):
    t = w @ u
    return u - (F.softplus(t) - 1 - t) * w / (w @ w)


# %% wrong: unchanged
"""
caught_by: task2_test_a
says: "u comes back unchanged"
why: no constraint
"""


def constrain(u, w):
    return u.clone()
