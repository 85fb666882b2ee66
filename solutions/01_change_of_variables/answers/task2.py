# %% right: by_hand
"""
why: writes the Gamma density out and fills in the points inside the support
"""


def log_prob_mpg(x):
    # Gamma(16, rate 2) written out; with z = K / x, |dz/dx| = K / x^2 = z / x.
    out = torch.full_like(x, -math.inf)
    keep = x > 0
    z = LITRES_TO_MILES / x[keep]
    log_base = 16 * math.log(2) - math.lgamma(16) + 15 * torch.log(z) - 2 * z
    out[keep] = log_base + torch.log(z) - torch.log(x[keep])
    return out


# %% right: forward_derivative
"""
why: divides by the forward derivative, taken at z
"""


def log_prob_mpg(x):
    z = LITRES_TO_MILES / x.clamp_min(1e-300)
    forward_slope = (-LITRES_TO_MILES / z**2).abs()
    log_p = consumption.log_prob(z.clamp(1e-9, 1e9)) - forward_slope.log()
    return log_p.masked_fill(x <= 0, float("-inf"))


# %% right: loop
"""
why: point by point, in a loop
"""


def log_prob_mpg(x):
    values = []
    for point in x.tolist():
        if point <= 0:
            values.append(-math.inf)
        else:
            z = torch.tensor(LITRES_TO_MILES / point, dtype=torch.float64)
            values.append(consumption.log_prob(z).item() + math.log(LITRES_TO_MILES / point**2))
    return torch.tensor(values, dtype=x.dtype)


# %% right: masked
"""
why: fills the inside through a boolean mask
"""


def log_prob_mpg(x):
    result = torch.full_like(x, float("-inf"))
    good = x > 0
    z = LITRES_TO_MILES / x[good]
    result[good] = consumption.log_prob(z) + torch.log(z / x[good])
    return result


# %% right: scipy_gamma
"""
why: takes the base from scipy and does the change of variables by hand
"""

import numpy as np
from scipy.stats import gamma


def log_prob_mpg(x):
    mpg = x.numpy()
    out = np.full(mpg.shape, -np.inf)
    ok = mpg > 0
    litres = LITRES_TO_MILES / mpg[ok]
    out[ok] = gamma.logpdf(litres, 16, scale=0.5) + np.log(litres) - np.log(mpg[ok])
    return torch.from_numpy(out)


# %% wrong: abs_x
"""
caught_by: task2_test_b
says: must be -inf, and is a finite number
why: scores negative mileage like positive
"""


def log_prob_mpg(x):
    y = x.abs().clamp_min(1e-9)
    return consumption.log_prob(LITRES_TO_MILES / y) + math.log(LITRES_TO_MILES) - 2 * y.log()


# %% wrong: another_gamma
"""
caught_by: task2_test_b
says: the density of something else
why: another Gamma distribution with the peak in the right place
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    shape, rate = torch.tensor([14.0, 0.47], dtype=torch.float64)
    log_p = Gamma(shape, rate).log_prob(safe)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: density
"""
caught_by: task2_test_a
says: not its logarithm
why: returns the density and not its logarithm
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z).exp() * LITRES_TO_MILES / safe**2
    return torch.where(inside, log_p, -math.inf)


# %% wrong: difference_quotient
"""
caught_by: task2_test_b
says: spoil the tails
why: differentiates the distribution function numerically
"""


def cdf(x):
    return torch.special.gammaincc(torch.tensor(16.0, dtype=torch.float64), 2 * LITRES_TO_MILES / x)


def log_prob_mpg(x):
    h = 1e-5
    safe = torch.where(x > 0, x, 1.0)
    p = (cdf(safe + h) - cdf(safe - h)) / (2 * h)
    return torch.where(x > 0, p.clamp_min(1e-300).log(), -math.inf)


# %% wrong: error_outside
"""
caught_by: task2_test_b
says: raises ValueError
why: right inside the support, an error outside
"""


def log_prob_mpg(x):
    return consumption.log_prob(LITRES_TO_MILES / x) + math.log(LITRES_TO_MILES) - 2 * torch.log(x)


# %% wrong: flow
"""
caught_by: task2_test_a
says: uses Flow
why: lets flowlib do the change of variables
"""

from flowlib.bijection import Chain
from flowlib.scalar import Affine, Exp

log_miles = torch.tensor(math.log(LITRES_TO_MILES), dtype=torch.float64)
minus = torch.tensor(-1.0, dtype=torch.float64)
cars = Flow(Chain(Inverse(Exp()), Affine(log_miles, minus), Exp()), consumption)


def log_prob_mpg(x):
    inside = x > 0
    return torch.where(inside, cars.log_prob(torch.where(inside, x, 1.0)), -math.inf)


# %% wrong: in_place
"""
caught_by: task2_test_a
says: changes its first argument in place
why: writes a harmless value over the points it was given
"""


def log_prob_mpg(x):
    outside = x <= 0
    x[outside] = 1.0
    log_p = consumption.log_prob(LITRES_TO_MILES / x) + math.log(LITRES_TO_MILES) - 2 * x.log()
    log_p[outside] = -math.inf
    return log_p


# %% wrong: nan_outside
"""
caught_by: task2_test_b
says: is not a number
why: leaves the logarithm of a negative number outside the support
"""


def log_prob_mpg(x):
    z = LITRES_TO_MILES / x
    return 16 * math.log(2) - math.lgamma(16) + 15 * z.log() - 2 * z + math.log(LITRES_TO_MILES) - 2 * x.log()


# %% wrong: no_abs
"""
caught_by: task2_test_a
says: negative slope
why: the log of the negative derivative is not a number
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + torch.log(-LITRES_TO_MILES / safe**2)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: no_constant
"""
caught_by: task2_test_b
says: the factor 235.2 of the derivative is missing
why: forgets the factor 235.215 of the derivative
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) - 2 * safe.log()
    return torch.where(inside, log_p, -math.inf)


# %% wrong: no_jacobian
"""
caught_by: task2_test_b
says: left out
why: the base's log-density at z, without the derivative
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: no_jacobian_area
"""
caught_by: task2_test_a
says: a sign or factor in the log-determinant
why: the same mistake, seen by the visible test
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: normal
"""
caught_by: task2_test_b
says: the density of something else
why: a normal with the right centre in place of the derivation
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    log_p = Normal(31.36, 8.4).log_prob(safe)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: normal_peak
"""
caught_by: task2_test_a
says: is each x carried back
why: the same, seen by the visible test
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    log_p = Normal(31.36, 8.4).log_prob(safe)
    return torch.where(inside, log_p, -math.inf)


# %% wrong: one_log
"""
caught_by: task2_test_b
says: here the square is missing
why: differentiates 1/x to 1/x
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + math.log(LITRES_TO_MILES) - safe.log()
    return torch.where(inside, log_p, -math.inf)


# %% wrong: scipy
"""
caught_by: task2_test_a
says: "uses stats.invgamma"
why: scipy's finished density
"""

from scipy import stats


def log_prob_mpg(x):
    return torch.from_numpy(stats.invgamma(16, scale=2 * LITRES_TO_MILES).logpdf(x.numpy()))


# %% wrong: sign
"""
caught_by: task2_test_b
says: sign of the log-derivative
why: subtracts the inverse's log-derivative
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) - math.log(LITRES_TO_MILES) + 2 * safe.log()
    return torch.where(inside, log_p, -math.inf)


# %% wrong: support
"""
caught_by: task2_test_b
says: must be -inf, and is a finite number
why: gives a finite value where there are no cars
"""


def log_prob_mpg(x):
    inside = x > 0
    safe = torch.where(inside, x, 1.0)
    z = LITRES_TO_MILES / safe
    log_p = consumption.log_prob(z) + math.log(LITRES_TO_MILES) - 2 * safe.log()
    return log_p


# %% wrong: support_edge
"""
caught_by: task2_test_b
says: does an edge of your own
why: draws the edge of the support at about four miles per gallon
"""


def log_prob_mpg(x):
    inside = x > 3.9
    safe = torch.where(inside, x, 10.0)
    log_p = consumption.log_prob(LITRES_TO_MILES / safe) + math.log(LITRES_TO_MILES) - 2 * safe.log()
    return torch.where(inside, log_p, -math.inf)


# %% wrong: transformed
"""
caught_by: task2_test_a
says: uses TransformedDistribution
why: lets torch do the change of variables
"""

from torch.distributions import PowerTransform, TransformedDistribution
from torch.distributions.transforms import AffineTransform

model = TransformedDistribution(
    consumption,
    [PowerTransform(torch.tensor(-1.0)), AffineTransform(0.0, LITRES_TO_MILES)],
    validate_args=False,
)


def log_prob_mpg(x):
    inside = x > 0
    return torch.where(inside, model.log_prob(torch.where(inside, x, 1.0)), -math.inf)
