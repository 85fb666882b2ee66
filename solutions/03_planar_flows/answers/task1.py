# %% right: class
"""
why: makes a module of the layer and calls it
"""


class OneBend(torch.nn.Module):
    def __init__(self, w, u, b):
        super().__init__()
        self.w, self.u, self.b = w, u, b

    def forward(self, z):
        a = torch.mv(z, self.w).add(self.b).unsqueeze(-1)
        psi = torch.mul(1 - a.tanh().square(), self.w)
        return torch.addcmul(z, a.tanh(), self.u), torch.log(torch.abs(1 + torch.mv(psi, self.u)))


def planar_forward(z, w, u, b):
    return OneBend(w, u, b)(z)


# %% right: einsum
"""
why: writes the sums out and uses 1/cosh^2 for the derivative
"""


def planar_forward(z, w, u, b):
    a = torch.einsum("nd,d->n", z, w) + b
    x = z + torch.outer(torch.tanh(a), u)
    slope = 1 / torch.cosh(a).square()
    return x, (slope * (u * w).sum()).add(1).abs().log()


# %% right: loop
"""
why: one point at a time
"""


def planar_forward(z, w, u, b):
    xs, log_dets = [], []
    for point in z:
        h = torch.tanh(torch.dot(point, w) + b)
        xs.append(point + u * h)
        log_dets.append(torch.log(torch.abs(1 + torch.dot(u, w) * (1 - h * h))))
    return torch.stack(xs), torch.stack(log_dets)


# %% right: named_det
"""
why: "calls its own variable det: what is not allowed is a function of that name"
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    det = 1 + (1 - h**2) * (w @ u)
    return z + h[:, None] * u, det.abs().log()


# %% right: psi
"""
why: builds psi as a matrix of rows, as in the lesson
"""


def planar_forward(z, w, u, b):
    a = (z @ w + b).unsqueeze(1)
    psi = (1 - torch.tanh(a) ** 2) * w
    return z + u * torch.tanh(a), torch.log(torch.abs(1 + psi @ u))


# %% wrong: assigned_slogdet
"""
caught_by: task1_test_a
says: uses torch.linalg.slogdet
why: binds the name of a helper that builds the full matrix
"""


def _planar(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(len(w), dtype=z.dtype) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + u * h[:, None], torch.linalg.slogdet(J)[1]


planar_forward = _planar

# %% wrong: broadcast
"""
caught_by: task1_test_a
says: "second axis"
why: multiplies (batch,) with (dim,), an error unless batch = dim
"""


def planar_forward(z, w, u, b):
    a = z @ w + b
    psi = (1 - torch.tanh(a) ** 2) * w
    return z + u * torch.tanh(a)[:, None], (1 + (psi * u).sum(-1)).abs().log() + torch.zeros_like(a)


# %% wrong: clamped
"""
caught_by: task1_test_a
says: a negative determinant is cut off
why: clamps the determinant instead of taking its absolute value
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).clamp_min(1e-6).log()


# %% wrong: epsilon_1e6
"""
caught_by: task1_test_b
says: something small is added
why: adds a small number inside the logarithm
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    det = 1 + (1 - h**2) * (w @ u)
    return z + u * h[:, None], torch.log(det.abs() + 1e-6)


# %% wrong: float32
"""
caught_by: task1_test_b
says: "keep the dtype"
why: turns everything into float32
"""


def planar_forward(z, w, u, b):
    z, w, u = z.float(), w.float(), u.float()
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "uses Planar"
why: hands the work to flowlib's layer
"""

from flowlib.planar import Planar


def planar_forward(z, w, u, b):
    layer = Planar(z.shape[1])
    layer.load_state_dict({"w": w, "u": u, "b": torch.as_tensor(b)})
    return layer(z)


# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: the numbers of the example
why: returns the numbers of the example
"""


def planar_forward(z, w, u, b):
    x = torch.tensor([[0.0, 0.0], [0.6192, -1.7616], [2.4997, 1.9993]])
    return x[torch.arange(len(z)) % 3].to(z.dtype), torch.tensor([1.2528, 0.7178, 0.0034])[
        torch.arange(len(z)) % 3
    ].to(z.dtype)


# %% wrong: identity
"""
caught_by: task1_test_a
says: "comes back unchanged"
why: does nothing, with log_det 0
"""


def planar_forward(z, w, u, b):
    return z, torch.zeros(len(z), dtype=z.dtype)


# %% wrong: jacobian
"""
caught_by: task1_test_a
says: "uses torch.linalg.slogdet"
why: builds the full matrix and takes its determinant
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(z.shape[1]) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + u * h[:, None], torch.linalg.slogdet(J)[1]


# %% wrong: no_abs
"""
caught_by: task1_test_a
says: "absolute value is missing"
why: a negative determinant gives nan
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).log()


# %% wrong: no_bias
"""
caught_by: task1_test_a
says: "b is missing"
why: forgets b
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: no_log
"""
caught_by: task1_test_a
says: "logarithm is missing"
why: returns the determinant itself
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs()


# %% wrong: no_one
"""
caught_by: task1_test_a
says: "the 1 of 1 + u.psi is missing"
why: takes u.psi for the determinant
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], ((1 - h**2) * (w @ u)).abs().log()


# %% wrong: no_square
"""
caught_by: task1_test_a
says: "with the square"
why: derivative of tanh without the square
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h) * (w @ u)).abs().log()


# %% wrong: sign
"""
caught_by: task1_test_a
says: "sign is flipped"
why: returns the log-determinant of the inverse
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], -(1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: squeeze
"""
caught_by: task1_test_b
says: has shape (2,), expected (1, 2)
why: treats D = 1 or a batch of 1 by squeezing the axes away
"""


def planar_forward(z, w, u, b):
    z = z.squeeze()
    h = torch.tanh(z @ w + b)
    return z + u * h[..., None], (1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: summed
"""
caught_by: task1_test_a
says: one number per point
why: sums the log-determinant over the batch
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log().sum()


# %% wrong: svdvals
"""
caught_by: task1_test_a
says: "uses torch.linalg.svdvals"
why: builds the full matrix and multiplies its singular values
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(z.shape[1], dtype=z.dtype) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + h[:, None] * u, torch.linalg.svdvals(J).log().sum(1)


# %% wrong: swapped
"""
caught_by: task1_test_a
says: "changed places"
why: u and w have changed roles
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ u + b)
    return z + w * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: tanh_by_exp
"""
caught_by: task1_test_b
says: does exp overflow
why: writes tanh with exponentials, which overflow
"""


def planar_forward(z, w, u, b):
    a = z @ w + b
    e = (2 * a).exp()
    h = (e - 1) / (e + 1)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ u)).abs().log()


# %% wrong: tanh_for_derivative
"""
caught_by: task1_test_a
says: "derivative 1 - tanh^2"
why: uses h where h' belongs
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + h * (w @ u)).abs().log()


# %% wrong: two_dimensions
"""
caught_by: task1_test_b
says: is it written for one shape only
why: written for two coordinates
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(w[0] * z[:, 0] + w[1] * z[:, 1] + b)
    x = torch.stack([z[:, 0] + u[0] * h, z[:, 1] + u[1] * h], 1)
    return x, (1 + (1 - h**2) * (w[0] * u[0] + w[1] * u[1])).abs().log()


# %% wrong: w_dot_w
"""
caught_by: task1_test_a
says: "looks like w.w"
why: multiplies psi with w instead of u
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    return z + u * h[:, None], (1 + (1 - h**2) * (w @ w)).abs().log()


# %% wrong: zero_log_det
"""
caught_by: task1_test_a
says: "left out"
why: moves the points and forgets the volume
"""


def planar_forward(z, w, u, b):
    return z + u * torch.tanh(z @ w + b)[:, None], torch.zeros(len(z), dtype=z.dtype)
