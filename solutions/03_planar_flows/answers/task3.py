# %% right: damped
"""
why: a damped fixed point with very many steps
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y / (1 + t.clamp(min=0))
    for _ in range(6000):
        h = torch.tanh(a)
        a = a - (a + t * h - y) / (1 + t.clamp(min=0))
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


# %% right: fixed_bracket
"""
why: "searches between -20 and 20 whatever y is: beyond, tanh is 1 to the last digit"

-     low, high = y - t.abs(), y + t.abs()
+     low, high = torch.full_like(y, -20.0), torch.full_like(y, 20.0)
"""

# %% right: guarded_newton
"""
why: Newton's steps, replaced by bisection when they leave the bracket
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = y - t.abs(), y + t.abs()
    a = y
    for _ in range(120):
        error = a + t * torch.tanh(a) - y
        low, high = torch.where(error < 0, a, low), torch.where(error > 0, a, high)
        new = a - error / (1 + t * (1 - torch.tanh(a) ** 2))
        a = torch.where((new > low) & (new < high), new, 0.5 * (low + high))
    slope = 1 + t * (1 - torch.tanh(a) ** 2)
    return x - torch.outer(torch.tanh(a), u), -torch.log(slope)


# %% right: own_find_root
"""
why: "writes a find_root of its own: what is not allowed is flowlib's"
"""


def find_root(t, y):
    low, high = y - t.abs(), y + t.abs()
    for _ in range(70):
        a = (low + high) / 2
        below = a + t * torch.tanh(a) < y
        low, high = torch.where(below, a, low), torch.where(below, high, a)
    return (low + high) / 2


def planar_inverse(x, w, u, b):
    t = w @ u
    h = torch.tanh(find_root(t, x @ w + b))
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


# %% right: wide_bracket
"""
why: bisection on a bracket wider than needed, one point at a time
"""


def planar_inverse(x, w, u, b):
    t = torch.dot(w, u)
    rows, log_dets = [], []
    for point in x:
        y = torch.dot(point, w) + b
        low, high = y - t.abs() - 1, y + t.abs() + 1
        for _ in range(80):
            middle = 0.5 * (low + high)
            if middle + t * torch.tanh(middle) < y:
                low = middle
            else:
                high = middle
        a = 0.5 * (low + high)
        rows.append(point - u * torch.tanh(a))
        log_dets.append(-torch.log(1 + t / torch.cosh(a) ** 2))
    return torch.stack(rows), torch.stack(log_dets)


# %% wrong: abs_log_det
"""
caught_by: task3_test_b
says: "|w.u| is taken for w.u"
why: takes |w.u| for the bracket, and then for the log-determinant too

-     return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
+     return x - u * h[:, None], -(1 + (1 - h**2) * t.abs()).log()
"""

# %% wrong: always_double
"""
caught_by: task3_test_a
says: "keep the dtype"
why: returns float64 whatever comes in

+     x, w, u = x.double(), w.double(), u.double()
      t, y = w @ u, x @ w + b
"""

# %% wrong: assigned_find_root
"""
caught_by: task3_test_a
says: uses find_root
why: "binds the name of a helper that calls the course's root finder"
"""

from flowlib.bijection import find_root


def _inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = find_root(lambda a: (a + t * a.tanh(), 1 + t * (1 - a.tanh() ** 2)), y, y - t.abs(), y + t.abs())
    h = a.tanh()
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


planar_inverse = _inverse

# %% wrong: clamped_newton
"""
caught_by: task3_test_b
says: too few steps for so long a way
why: Newton with short steps, too few of them
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y.clone()
    for _ in range(30):
        h = torch.tanh(a)
        a = a - ((a + t * h - y) / (1 + t * (1 - h**2))).clamp(-1, 1)
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


# %% wrong: few_steps
"""
caught_by: task3_test_a
says: "more steps"
why: 20 halvings, six digits

-     for _ in range(70):
+     for _ in range(20):
"""

# %% wrong: find_root
"""
caught_by: task3_test_a
says: "uses find_root"
why: calls the course's root finder
"""

from flowlib.bijection import find_root


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = find_root(
        lambda a: (a + t * torch.tanh(a), 1 + t * (1 - torch.tanh(a) ** 2)), y, y - t.abs(), y + t.abs()
    )
    return x - u * torch.tanh(a)[:, None], -(1 + t * (1 - torch.tanh(a) ** 2)).log()


# %% wrong: fixed_point
"""
caught_by: task3_test_b
says: it does not converge where w.u > 1
why: a <- y - w.u tanh(a) converges only for |w.u| < 1
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y
    for _ in range(2000):
        a = y - t * torch.tanh(a)
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).abs().log()


# %% wrong: float32
"""
caught_by: task3_test_a
says: "keep the dtype"
why: works in float32

+     x, w, u = x.float(), w.float(), u.float()
      t, y = w @ u, x @ w + b
"""

# %% wrong: flowlib
"""
caught_by: task3_test_a
says: "uses Planar"
why: calls flowlib's layer
"""

from flowlib.planar import Planar


def planar_inverse(x, w, u, b):
    layer = Planar(len(w)).to(x.dtype)
    layer.load_state_dict({"w": w, "u": u, "b": torch.as_tensor(b)})
    return layer.inverse(x)


# %% wrong: forward_again
"""
caught_by: task3_test_a
says: "forward map is applied again"
why: adds instead of taking off
"""


def planar_inverse(x, w, u, b):
    h = torch.tanh(x @ w + b)
    return x + u * h[:, None], -(1 + (1 - h**2) * (w @ u)).log()


# %% wrong: identity
"""
caught_by: task3_test_a
says: "comes back unchanged"
why: returns x
"""


def planar_inverse(x, w, u, b):
    return x.clone(), torch.zeros_like(x[:, 0])


# %% wrong: log_det_sign
"""
caught_by: task3_test_a
says: "sign is flipped"
why: log_det of the forward map

-     return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
+     return x - u * h[:, None], (1 + (1 - h**2) * t).log()
"""

# %% wrong: mean_root
"""
caught_by: task3_test_a
says: one root serves the whole batch
why: finds one root, for the mean of the batch
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, (x @ w + b).mean()
    low, high = y - t.abs(), y + t.abs()
    for _ in range(70):
        a = (low + high) / 2
        if a + t * torch.tanh(a) < y:
            low = a
        else:
            high = a
    h = torch.tanh(a).expand(len(x))
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


# %% wrong: narrow_bracket
"""
caught_by: task3_test_b
says: a bracket that does not move with y
why: searches between -5 and 5 whatever y is

-     low, high = y - t.abs(), y + t.abs()
+     low, high = torch.full_like(y, -5.0), torch.full_like(y, 5.0)
"""

# %% wrong: no_bias
"""
caught_by: task3_test_a
says: the b is missing
why: forgets b in y

-     t, y = w @ u, x @ w + b
+     t, y = w @ u, x @ w
"""

# %% wrong: one_sided_bracket
"""
caught_by: task3_test_b
says: does the bracket hold the root there, too
why: takes w.u to be positive

-     low, high = y - t.abs(), y + t.abs()
+     low, high = y - t, y + t
"""

# %% wrong: raw_newton
"""
caught_by: task3_test_b
says: it does not converge where w.u > 1
why: Newton without a bracket jumps to and fro for w.u = 8
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    a = y
    for _ in range(200):
        a = a - (a + t * torch.tanh(a) - y) / (1 + t * (1 - torch.tanh(a) ** 2))
    h = torch.tanh(a)
    return x - u * h[:, None], -(1 + (1 - h**2) * t).log()


# %% wrong: slope_at_x
"""
caught_by: task3_test_a
says: "slope is taken at x"
why: right z, but the slope at w.x + b

-     return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
+     slope = 1 + (1 - torch.tanh(y) ** 2) * t
+     return x - u * h[:, None], -slope.log()
"""

# %% wrong: tanh_at_x
"""
caught_by: task3_test_a
says: "at the root a"
why: takes tanh at w.x + b
"""


def planar_inverse(x, w, u, b):
    h = torch.tanh(x @ w + b)
    return x - u * h[:, None], -(1 + (1 - h**2) * (w @ u)).log()


# %% wrong: two_dimensions
"""
caught_by: task3_test_a
says: is it written for two dimensions
why: written for two coordinates

-     t, y = w @ u, x @ w + b
+     t, y = w @ u, x[:, 0] * w[0] + x[:, 1] * w[1] + b
"""

# %% wrong: zero_log_det
"""
caught_by: task3_test_a
says: "left out"
why: no log-determinant

-     return x - u * h[:, None], -(1 + (1 - h**2) * t).log()
+     return x - u * h[:, None], torch.zeros_like(h)
"""
