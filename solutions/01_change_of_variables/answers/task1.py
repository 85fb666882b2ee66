# %% right: bound_methods
"""
why: binds the names to methods of one object
"""


class Maps:
    def there(self, z, shift, scale):
        return shift + scale * torch.sinh(z), math.log(abs(scale)) + torch.cosh(z).log()

    def back(self, x, shift, scale):
        z = torch.asinh((x - shift) / scale)
        return z, -self.there(z, shift, scale)[1]


maps = Maps()
sinh_forward = maps.there
sinh_inverse = maps.back

# %% right: exponentials
"""
why: writes sinh, cosh and asinh out with exponentials and logarithms
"""


def sinh_forward(z, shift, scale):
    up, down = z.exp(), (-z).exp()
    return shift + scale * 0.5 * (up - down), torch.log(abs(scale) * 0.5 * (up + down))


def sinh_inverse(x, shift, scale):
    y = (x - shift) / scale
    z = y.abs() + torch.sqrt(y**2 + 1)
    z = torch.sign(y) * torch.log(z)
    return z, -torch.log(abs(scale) * torch.sqrt(1 + y**2))


# %% right: from_forward
"""
why: takes the inverse's log-derivative from forward at the matching point
"""


def sinh_forward(z, shift, scale):
    slope = scale * torch.cosh(z)
    return shift + scale * torch.sinh(z), slope.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    _, log_det = sinh_forward(z, shift, scale)
    return z, -log_det


# %% right: numpy
"""
why: works in NumPy, returns lists and names its arguments in its own way
"""

import numpy as np


def _slope_log(v, c):
    return np.log(abs(c)) + np.logaddexp(v, -v) - np.log(2)


def sinh_forward(points, a, c):
    v = points.detach().numpy()
    out = [a + c * np.sinh(v), _slope_log(v, c)]
    return [torch.as_tensor(o, dtype=points.dtype) for o in out]


def sinh_inverse(values, a, c):
    v = np.arcsinh((values.detach().numpy() - a) / c)
    out = [v, -_slope_log(v, c)]
    return [torch.as_tensor(o, dtype=values.dtype) for o in out]


# %% right: softplus
"""
why: a log cosh that does not overflow
"""


def sinh_forward(z, shift, scale):
    log_cosh = z.abs() + torch.nn.functional.softplus(-2 * z.abs()) - math.log(2)
    return scale * z.sinh() + shift, log_cosh + math.log(abs(scale))


def sinh_inverse(x, shift, scale):
    standard = (x - shift) / scale
    return standard.asinh(), -0.5 * torch.log1p(standard**2) - math.log(abs(scale))


# %% wrong: always_double
"""
caught_by: task1_test_b
says: keep the dtype
why: turns everything into float64

-     return shift + scale * torch.sinh(z), math.log(abs(scale)) + torch.cosh(z).log()
+     return shift + scale * torch.sinh(z.double()), math.log(abs(scale)) + torch.cosh(z.double()).log()
"""

# %% wrong: assigned_name
"""
caught_by: task1_test_a
says: uses torch.func.jvp
why: binds the name of a helper that differentiates automatically
"""


def _there(z, shift, scale):
    x, slope = torch.func.jvp(lambda v: shift + scale * torch.sinh(v), (z,), (torch.ones_like(z),))
    return x, slope.abs().log()


def _back(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -_there(z, shift, scale)[1]


sinh_forward = _there
sinh_inverse = _back

# %% wrong: autograd
"""
caught_by: task1_test_a
says: "uses torch.autograd.grad"
why: lets automatic differentiation find the derivative
"""


def sinh_forward(z, shift, scale):
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        x = shift + scale * torch.sinh(z)
        (slope,) = torch.autograd.grad(x.sum(), z)
    return x.detach(), slope.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]


# %% wrong: backward
"""
caught_by: task1_test_a
says: "uses .backward"
why: lets the gradient of a sum find the derivative
"""


def sinh_forward(z, shift, scale):
    with torch.enable_grad():
        point = z.detach().clone().requires_grad_()
        (shift + scale * torch.sinh(point)).sum().backward()
    return shift + scale * torch.sinh(z), point.grad.abs().log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]


# %% wrong: both_signs
"""
caught_by: task1_test_a
says: the sign is flipped
why: both signs are exchanged, so they cancel and only the derivative tells
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), -math.log(abs(scale)) - torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, math.log(abs(scale)) + torch.cosh(z).log()


# %% wrong: complex_step
"""
caught_by: task1_test_a
says: uses .imag
why: takes the slope by a complex step
"""


def sinh_forward(z, shift, scale):
    step = torch.complex(z.double(), torch.full_like(z.double(), 1e-30))
    slope = (shift + scale * torch.sinh(step)).imag / 1e-30
    return shift + scale * torch.sinh(z), slope.abs().log().to(z.dtype)


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]


# %% wrong: hard_coded
"""
caught_by: task1_test_b
says: those of the visible test
why: has the shift and scale of the visible test built in
"""


def sinh_forward(z, shift, scale):
    return 1.0 + 2.0 * torch.sinh(z), math.log(2.0) + torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - 1.0) / 2.0)
    return z, -math.log(2.0) - torch.cosh(z).log()


# %% wrong: identity
"""
caught_by: task1_test_a
says: comes back unchanged
why: returns its input and a log-derivative of zero, which obeys every law
"""


def sinh_forward(z, shift, scale):
    return z, torch.zeros_like(z)


def sinh_inverse(x, shift, scale):
    z = x
    return z, torch.zeros_like(x)


# %% wrong: inverse_order
"""
caught_by: task1_test_a
says: the shift was added last
why: undoes the shift after the scale in the wrong order

-     z = torch.asinh((x - shift) / scale)
+     z = torch.asinh(x / scale - shift)
"""

# %% wrong: mean_slope
"""
caught_by: task1_test_a
says: one and the same number for every point
why: averages the slope over the batch
"""


def sinh_forward(z, shift, scale):
    slope = abs(scale) * torch.cosh(z)
    return shift + scale * torch.sinh(z), slope.mean().log().expand(len(z)).clone()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -sinh_forward(z, shift, scale)[1]


# %% wrong: no_abs
"""
caught_by: task1_test_b
says: absolute value
why: no absolute value, so a negative scale gives nan
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), torch.log(scale * torch.cosh(z))


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -torch.log(scale * torch.cosh(z))


# %% wrong: no_log
"""
caught_by: task1_test_a
says: logarithm is missing
why: returns the derivative and not its logarithm
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), abs(scale) * torch.cosh(z)


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -abs(scale) * torch.cosh(z)


# %% wrong: no_scale
"""
caught_by: task1_test_a
says: the scale is missing
why: the scale is forgotten in both log-derivatives
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -torch.cosh(z).log()


# %% wrong: positive_scale
"""
caught_by: task1_test_b
says: the scale loses its sign
why: maps with the size of the scale, so that only its sign tells
"""


def sinh_forward(z, shift, scale):
    c = abs(scale)
    return shift + c * torch.sinh(z), torch.log(c * torch.cosh(z))


def sinh_inverse(x, shift, scale):
    c = abs(scale)
    z = torch.asinh((x - shift) / c)
    return z, -torch.log(c * torch.cosh(z))


# %% wrong: same_log_det
"""
caught_by: task1_test_a
says: the sign is flipped
why: the inverse returns the forward's log-derivative, without the minus

-     return z, -math.log(abs(scale)) - torch.cosh(z).log()
+     return z, math.log(abs(scale)) + torch.cosh(z).log()
"""

# %% wrong: summed
"""
caught_by: task1_test_a
says: one number per point
why: one number for the whole batch
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), (math.log(abs(scale)) + torch.cosh(z).log()).sum()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, (-math.log(abs(scale)) - torch.cosh(z).log()).sum()


# %% wrong: visible_scale
"""
caught_by: task1_test_b
says: the scale is that of the visible test
why: has the visible scale built into the log-derivatives
"""


def sinh_forward(z, shift, scale):
    return shift + scale * torch.sinh(z), math.log(2.0) + torch.cosh(z).log()


def sinh_inverse(x, shift, scale):
    z = torch.asinh((x - shift) / scale)
    return z, -math.log(2.0) - torch.cosh(z).log()


# %% wrong: wrong_point
"""
caught_by: task1_test_a
says: the derivative is taken at x
why: the inverse takes the derivative at x and not at z

-     return z, -math.log(abs(scale)) - torch.cosh(z).log()
+     return z, -math.log(abs(scale)) - torch.cosh(x).log()
"""
