"""Piecewise monotone functions of one variable: rational-quadratic splines."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowlib.scalar import Transformer

__all__ = ["SplineTransformer"]


class SplineTransformer(Transformer):
    """A monotone rational-quadratic spline on [-bound, bound], the identity outside.

    The square [-bound, bound]^2 is cut into bins of learned widths and heights; in each the curve
    is a ratio of two quadratics, and neighbours meet with a common, learned slope. Parameters: K
    width logits, K height logits and K - 1 slopes at the inner knots. The two outer slopes are 1,
    so that the curve joins the identity without a kink.

    The curve is z as a function of x: `inverse`, which training calls, is the formula, and
    `forward` solves a quadratic equation. Either way round the family is as flexible.

    Args:
        bins: number of bins K.
        bound: half the side of the square.
        min_bin: smallest width and height of a bin, as a fraction of the side.
        min_slope: smallest slope at a knot, below 1; the largest is 1 / min_slope.

    Raises:
        ValueError: no bins, or more than `min_bin` leaves room for; a bound or a slope out of range.

    Source: Durkan et al., 2019, "Neural Spline Flows", section 3.1 and appendix A.

    Example:
        >>> spline = SplineTransformer(bins=4, bound=3.0)
        >>> z, _ = spline.inverse(torch.tensor([[-9.0, 1.5]]), torch.zeros(1, spline.count, 2))
        >>> z  # zeros give the identity, and so does what lies outside
        tensor([[-9.0000,  1.5000]])
    """

    def __init__(self, bins: int = 8, *, bound: float = 5.0, min_bin: float = 1e-3, min_slope: float = 1e-3):
        super().__init__()
        if not 1 <= bins < 1 / min_bin:
            raise ValueError(f"bins must be at least 1 and below 1 / min_bin = {1 / min_bin:g}, got {bins}")
        if not (bound > 0 and 0 < min_slope < 1):
            raise ValueError(
                f"a spline needs bound > 0 and 0 < min_slope < 1, got bound={bound}, min_slope={min_slope}"
            )
        self.bins, self.bound, self.min_bin, self.min_slope = bins, bound, min_bin, min_slope
        self.count = 3 * bins - 1
        # softplus(offset) + min_slope = 1: a parameter of 0 means slope 1.
        self.offset = math.log(math.expm1(1 - min_slope))

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        inside, place, x0, width, z0, height, slope0, slope1 = self.find_bin(x, params, axis=0)
        s, t = height / width, (place - x0) / width
        fraction, log_slope = self.curve(s, t, slope0, slope1)
        z = self.bound * (z0 + height * fraction)
        return torch.where(inside, z, x), torch.where(inside, log_slope, 0.0)

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        inside, place, x0, width, z0, height, slope0, slope1 = self.find_bin(z, params, axis=1)
        s, r = height / width, (place - z0) / height
        # a t^2 + b t - s r = 0 with a = s - b (Durkan et al., A.3, divided by the height). Its
        # discriminant as a sum of squares cannot become negative, and -b +- root never cancels.
        b = slope0 - (slope0 + slope1 - 2 * s) * r
        root = ((b - 2 * s * r) ** 2 + 4 * s * s * r * (1 - r)).sqrt()
        positive, large = b > 0, b.abs() + root
        t = torch.where(positive, 2 * s * r, large) / torch.where(positive, large, 2 * (s - b))
        _, log_slope = self.curve(s, t, slope0, slope1)
        x = self.bound * (x0 + width * t)
        return torch.where(inside, x, z), torch.where(inside, -log_slope, 0.0)

    def curve(self, s: Tensor, t: Tensor, slope0: Tensor, slope1: Tensor) -> tuple[Tensor, Tensor]:
        """The height reached at t of a bin's width, both as fractions, and the logarithm of the slope
        there (Durkan et al., equations 4-5); s is the bin's mean slope."""
        bow = t * (1 - t)
        bottom = s + (slope0 + slope1 - 2 * s) * bow
        fraction = (s * t * t + slope0 * bow) / bottom
        slope = (s / bottom) ** 2 * (slope1 * t * t + 2 * s * bow + slope0 * (1 - t) ** 2)
        return fraction, slope.log()

    def find_bin(self, values: Tensor, params: Tensor, axis: int) -> tuple[Tensor, ...]:
        """For each value, on the x axis (0) or z axis (1): whether it is inside the square, its place
        there, and x0, width, z0, height, left and right slope of its bin. All are shaped as `values`
        and in units in which the square is [-1, 1]^2."""
        sizes, slopes = params.split([2 * self.bins, self.bins - 1], 1)
        sizes = sizes.unflatten(1, (2, self.bins)).softmax(2)  # (batch, x and z, K, *event)
        sizes = sizes * (2 - 2 * self.bins * self.min_bin) + 2 * self.min_bin
        inner = sizes[:, :, :-1].cumsum(2) - 1
        skip = [0, 0] * (values.dim() - 1)
        knots = F.pad(F.pad(inner, [*skip, 1, 0], value=-1.0), [*skip, 0, 1], value=1.0)
        slopes = F.pad(slopes, [*skip, 1, 1]).unsqueeze(1)
        table = torch.cat([knots, slopes], 1)  # (batch, x z slope, K + 1, *event)

        # Points outside are scored at the edge instead, so that no NaN reaches the gradient.
        inside = values.abs() <= self.bound
        place = values.clamp(-self.bound, self.bound) / self.bound
        left = (place.unsqueeze(1) >= inner[:, axis]).sum(1, keepdim=True)
        both = torch.cat([left, left + 1], 1).unsqueeze(1)
        ends = table.gather(2, both.expand(-1, 3, *both.shape[2:]))
        knots, slopes = ends.flatten(1, 2).split([4, 2], 1)
        x0, x1, z0, z1 = knots.unbind(1)
        slopes = F.softplus(slopes + self.offset) + self.min_slope
        slope0, slope1 = slopes.clamp(max=1 / self.min_slope).unbind(1)
        return inside, place, x0, x1 - x0, z0, z1 - z0, slope0, slope1
