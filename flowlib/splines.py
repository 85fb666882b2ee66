"""Piecewise monotone functions of one variable: straight pieces, parabolas, rational-quadratic splines.

All cut a square into bins, and differ in the curve from corner to corner of a bin.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowlib.scalar import Transformer

__all__ = [
    "CircularSplineTransformer", "PiecewiseLinearTransformer", "PiecewiseQuadraticTransformer",
    "SplineTransformer",
]  # fmt: skip


class _Piecewise(Transformer):
    """z as a function of x, from bin to bin of the square [-bound, bound]^2, and the identity outside.

    A subclass says where the knots lie (`table`), and what curve leads through a bin: `curve` from x to
    z, which training on data calls, and `solve` back. They see a bin as the unit square: t in [0, 1] is
    the place in its width, r in [0, 1] that in its height, s = height / width its mean slope.
    """

    def __init__(self, bins: int, bound: float):
        super().__init__()
        if not bound > 0:
            raise ValueError(f"the square needs bound > 0, got bound={bound}")
        self.bins, self.bound = bins, bound

    def table(self, params: Tensor) -> Tensor:
        """x, z and, where the curve needs it, the slope at every knot, (batch, 2 or 3, K + 1, *event); the
        square is [-1, 1]^2."""
        raise NotImplementedError

    def curve(self, s: Tensor, t: Tensor, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        """r and the logarithm of dz/dx, given t and the slopes at both ends of the bin."""
        raise NotImplementedError

    def solve(self, s: Tensor, r: Tensor, *slopes: Tensor) -> Tensor:
        """t, given r."""
        raise NotImplementedError

    def slopes(self, ends: Tensor) -> Tensor:
        """Slopes at the two ends of a bin, (batch, 2, *event), from what the table holds there."""
        return ends

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        inside, place, x0, width, z0, height, *slopes = self.find_bin(x, params, axis=0)
        r, log_slope = self.curve(height / width, (place - x0) / width, *slopes)
        z = self.bound * (z0 + height * r)
        return torch.where(inside, z, x), torch.where(inside, log_slope, 0.0)

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        inside, place, x0, width, z0, height, *slopes = self.find_bin(z, params, axis=1)
        s = height / width
        t = self.solve(s, (place - z0) / height, *slopes)
        _, log_slope = self.curve(s, t, *slopes)
        x = self.bound * (x0 + width * t)
        return torch.where(inside, x, z), torch.where(inside, -log_slope, 0.0)

    def find_bin(self, values: Tensor, params: Tensor, axis: int) -> tuple[Tensor, ...]:
        """For each value, on the x axis (0) or z axis (1): whether it is inside the square, its place
        there, and x0, width, z0, height and the slopes of its bin. All are shaped as `values` and in
        units in which the square is [-1, 1]^2."""
        table = self.table(params)
        # Points outside are scored at the edge instead, so that no NaN reaches the gradient.
        inside = values.abs() <= self.bound
        place = values.clamp(-self.bound, self.bound) / self.bound
        left = (place.unsqueeze(1) >= table[:, axis, 1:-1]).sum(1, keepdim=True)
        both = torch.cat([left, left + 1], 1).unsqueeze(1)
        ends = table.gather(2, both.expand(-1, table.shape[1], *both.shape[2:])).flatten(1, 2)
        x0, x1, z0, z1 = ends[:, :4].unbind(1)
        slopes = self.slopes(ends[:, 4:]).unbind(1)
        return inside, place, x0, x1 - x0, z0, z1 - z0, *slopes


def _sizes(logits: Tensor, least: float, dim: int) -> Tensor:
    """Sizes of bins along `dim` that add up to the side of [-1, 1], none below `least` of it."""
    return logits.softmax(dim) * (2 - 2 * least * logits.shape[dim]) + 2 * least


def _knots(sizes: Tensor) -> Tensor:
    """Where bins of these sizes begin and end in [-1, 1]: K along dim 2 give K + 1 knots. The ends are exact,
    whatever the sum rounds to."""
    inner = sizes[:, :, :-1].cumsum(2) - 1
    return F.pad(F.pad(inner, _one(inner, before=1), value=-1.0), _one(inner, after=1), value=1.0)


def _one(values: Tensor, before: int = 0, after: int = 0) -> list[int]:
    """Arguments for `F.pad` that add entries along dim 2."""
    return [0, 0] * (values.dim() - 3) + [before, after]


def _check_bins(bins: int, fewest: int, min_bin: float) -> None:
    if not fewest <= bins < 1 / min_bin:
        raise ValueError(
            f"bins must be at least {fewest} and below 1 / min_bin = {1 / min_bin:g}, got {bins}"
        )


class PiecewiseLinearTransformer(_Piecewise):
    """Straight pieces over K bins of equal width on [-bound, bound], the identity outside.

    On a uniform base the density of x is a histogram. Parameters: K logits, whose softmax are the heights
    of the bins, the shares of probability. The widths are not learned: the loss jumps where a knot passes
    a point, and a gradient does not tell of jumps.

    Args:
        bins: number of bins K.
        bound: half the side of the square.
        min_slope: smallest slope of a piece, below 1; the largest is below K.

    Raises:
        ValueError: no bins; a bound or a slope out of range.

    Source: Mueller et al., 2019, "Neural Importance Sampling", the piecewise-linear coupling transform.

    Example:
        >>> line = PiecewiseLinearTransformer(bins=2, bound=1.0, min_slope=1e-9)
        >>> logits = torch.tensor([3.0, 1.0]).log().view(1, 2, 1)
        >>> line.inverse(torch.tensor([[0.0]]), logits)[0]  # 3/4 of the probability lie left of 0
        tensor([[0.5000]])
    """

    def __init__(self, bins: int = 10, *, bound: float = 5.0, min_slope: float = 1e-3):
        super().__init__(bins, bound)
        if not (bins >= 1 and 0 < min_slope < 1):
            raise ValueError(
                "straight pieces need bins >= 1 and 0 < min_slope < 1, got "
                f"bins={bins}, min_slope={min_slope}"
            )
        self.min_slope = min_slope
        self.count = bins

    def table(self, params: Tensor) -> Tensor:
        heights = _sizes(params, self.min_slope / self.bins, 1)
        return _knots(torch.stack([torch.full_like(heights, 2 / self.bins), heights], 1))

    def curve(self, s: Tensor, t: Tensor, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        return t, s.log()

    def solve(self, s: Tensor, r: Tensor, *slopes: Tensor) -> Tensor:
        return r


class PiecewiseQuadraticTransformer(_Piecewise):
    """Parabolas over K bins of learned widths on [-bound, bound], the identity outside.

    On a uniform base the density of x is a polygon: straight from knot to knot. Parameters: K logits of
    the widths and K - 1 logits of the slopes at the inner knots. The paper learns the outer two slopes,
    too; here they are 1, so that the curve joins the identity without a kink. The inner slopes are
    scaled together, for the area under the polygon must be the side of the square.

    Args:
        bins: number of bins K, at least 2.
        bound: half the side of the square.
        min_bin: smallest width of a bin, as a fraction of the side.
        min_slope: smallest slope at a knot, below 1; the largest is 1 / min_bin.

    Raises:
        ValueError: fewer than two bins, or more than `min_bin` leaves room for; a bound or a slope out of
            range.

    Source: Mueller et al., 2019, "Neural Importance Sampling", the piecewise-quadratic coupling transform.

    Example:
        >>> curve = PiecewiseQuadraticTransformer(bins=4, bound=3.0)
        >>> z, _ = curve.inverse(torch.tensor([[-9.0, 1.5]]), torch.zeros(1, curve.count, 2))
        >>> z  # zeros give the identity, and so does what lies outside
        tensor([[-9.0000,  1.5000]])
    """

    def __init__(self, bins: int = 8, *, bound: float = 5.0, min_bin: float = 1e-3, min_slope: float = 1e-3):
        super().__init__(bins, bound)
        _check_bins(bins, 2, min_bin)
        if not 0 < min_slope < 1:
            raise ValueError(f"parabolas need 0 < min_slope < 1, got {min_slope}")
        self.min_bin, self.min_slope = min_bin, min_slope
        self.count = 2 * bins - 1

    def table(self, params: Tensor) -> Tensor:
        widths, slopes = params.split([self.bins, self.bins - 1], 1)
        widths = _sizes(widths, self.min_bin, 1)
        # By the trapezoid rule an inner slope counts by the mean width of its two bins, and what all
        # inner ones must add up to is what the outer two, which are 1, leave.
        weights = (widths[:, 1:] + widths[:, :-1]) / 2
        slopes = slopes.softmax(1)
        slopes = slopes * weights.sum(1, keepdim=True) / (slopes * weights).sum(1, keepdim=True)
        slopes = self.min_slope + (1 - self.min_slope) * slopes
        slopes = F.pad(slopes.unsqueeze(1), _one(slopes.unsqueeze(1), 1, 1), value=1.0)
        heights = widths * (slopes[:, 0, 1:] + slopes[:, 0, :-1]) / 2
        return torch.cat([_knots(torch.stack([widths, heights], 1)), slopes], 1)

    def curve(self, s: Tensor, t: Tensor, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        slope0, slope1 = slopes
        slope = slope0 * (1 - t) + slope1 * t
        return t * (slope0 + slope) / (slope0 + slope1), slope.log()

    def solve(self, s: Tensor, r: Tensor, *slopes: Tensor) -> Tensor:
        slope0, slope1 = slopes
        # Half of (slope1 - slope0) t^2 + slope0 t = s r. The root of its discriminant is the slope at t;
        # written as a mean of squares it cannot turn negative, and a sum in the denominator never cancels.
        slope = (slope0 * slope0 * (1 - r) + slope1 * slope1 * r).sqrt()
        return r * (slope0 + slope1) / (slope0 + slope)


class SplineTransformer(_Piecewise):
    """A monotone rational-quadratic spline on [-bound, bound], the identity outside.

    The square [-bound, bound]^2 is cut into bins of learned widths and heights; in each the curve
    is a ratio of two quadratics, and neighbours meet with a common, learned slope. Parameters: K
    width logits, K height logits and K - 1 slopes at the inner knots. The two outer slopes are 1,
    so that the curve joins the identity without a kink.

    The curve is z as a function of x: `inverse`, which training calls, is the formula, and
    `forward` solves a quadratic equation. Either way round the family is as flexible.

    The smallest sizes keep values and gradients finite: slopes at knots lie in [min_slope, 1 / min_slope],
    but in between they rise to 2 / min_bin and fall to 2 min_bin^2 min_slope, and a round trip multiplies
    what was rounded by the slope of its way back. In float32, z -> x -> z is off by at most about
    2e-6 (1 + dz/dx), which is below 1e-5, whatever the parameters, for min_bin=0.15 and min_slope=0.2.

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
        _check_bins(bins, 1, min_bin)
        if not (bound > 0 and 0 < min_slope < 1):
            raise ValueError(
                f"a spline needs bound > 0 and 0 < min_slope < 1, got bound={bound}, min_slope={min_slope}"
            )
        super().__init__(bins, bound)
        self.min_bin, self.min_slope = min_bin, min_slope
        self.count = 3 * bins - 1
        # softplus(offset) + min_slope = 1: a parameter of 0 means slope 1.
        self.offset = math.log(math.expm1(1 - min_slope))

    def table(self, params: Tensor) -> Tensor:
        sizes, slopes = params.split([2 * self.bins, self.bins - 1], 1)
        slopes = F.pad(slopes.unsqueeze(1), _one(slopes.unsqueeze(1), 1, 1))
        return torch.cat([self.corners(sizes), slopes], 1)

    def corners(self, sizes: Tensor) -> Tensor:
        """x and z of the knots, (batch, 2, K + 1, *event), from the logits of widths and heights."""
        return _knots(_sizes(sizes.unflatten(1, (2, self.bins)), self.min_bin, 2))

    def slopes(self, ends: Tensor) -> Tensor:
        return (F.softplus(ends + self.offset) + self.min_slope).clamp(max=1 / self.min_slope)

    def curve(self, s: Tensor, t: Tensor, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Durkan et al., equations 4-5."""
        slope0, slope1 = slopes
        bow = t * (1 - t)
        bottom = s + (slope0 + slope1 - 2 * s) * bow
        fraction = (s * t * t + slope0 * bow) / bottom
        slope = (s / bottom) ** 2 * (slope1 * t * t + 2 * s * bow + slope0 * (1 - t) ** 2)
        return fraction, slope.log()

    def solve(self, s: Tensor, r: Tensor, *slopes: Tensor) -> Tensor:
        slope0, slope1 = slopes
        # a t^2 + b t - s r = 0 with a = s - b (Durkan et al., A.3, divided by the height). Its
        # discriminant as a sum of squares cannot become negative, and -b +- root never cancels.
        b = slope0 - (slope0 + slope1 - 2 * s) * r
        root = ((b - 2 * s * r) ** 2 + 4 * s * s * r * (1 - r)).sqrt()
        positive, large = b > 0, b.abs() + root
        return torch.where(positive, 2 * s * r, large) / torch.where(positive, large, 2 * (s - b))


class CircularSplineTransformer(SplineTransformer):
    """A rational-quadratic spline of the circle: an angle in [-period/2, period/2] gives another.

    The curve of `SplineTransformer` over one whole turn, with one learned slope at both ends, where the
    circle closes: no density jumps there. A learned shift then turns the circle, so that the place
    where it was cut is nowhere special. Parameters: K width logits, K height logits, K slopes and the
    shift, in the units of x. An angle outside is taken as the one inside that it equals.

    Layers of angles want a base of angles, `UniformAngles`, and nets that see their cosines and sines:
    `MLP(..., period=)`. `RealNVP`, `MAF` and `IAF` choose both when they are given this transformer.

    Args:
        bins, min_bin, min_slope: as for `SplineTransformer`.
        period: of the angles.
        shift: whether to turn the circle; without, -period/2 stays where it is.

    Raises:
        ValueError: as for `SplineTransformer`, or a period that is not above 0.

    Source: Rezende et al., 2020, "Normalizing Flows on Tori and Spheres", circular splines.

    Example:
        >>> circle = CircularSplineTransformer(bins=4)
        >>> params = torch.randn(1, circle.count, 1).expand(2, -1, -1)
        >>> z, _ = circle.inverse(torch.tensor([[0.5], [0.5 + 2 * torch.pi]]), params)
        >>> bool(torch.isclose(z[0], z[1], atol=1e-5))  # a whole turn later is the same place
        True
    """

    def __init__(
        self,
        bins: int = 8,
        *,
        period: float = 2 * math.pi,
        shift: bool = True,
        min_bin: float = 1e-3,
        min_slope: float = 1e-3,
    ):
        if not 0 < period < math.inf:
            raise ValueError(f"a circle needs a finite period > 0, got {period}")
        super().__init__(bins, bound=period / 2, min_bin=min_bin, min_slope=min_slope)
        self.period, self.shift = period, shift
        self.count = 3 * bins + int(shift)

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        return super().inverse(self.wrap(x - params[:, -1] if self.shift else x), params)

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        x, log_slope = super().forward(self.wrap(z), params)
        return self.wrap(x + params[:, -1] if self.shift else x), log_slope

    def wrap(self, values: Tensor) -> Tensor:
        """The same angles, in [-period/2, period/2]."""
        return torch.remainder(values + self.bound, 2 * self.bound) - self.bound

    def table(self, params: Tensor) -> Tensor:
        sizes, slopes = params[:, : 3 * self.bins].split([2 * self.bins, self.bins], 1)
        slopes = torch.cat([slopes, slopes[:, :1]], 1).unsqueeze(1)
        return torch.cat([self.corners(sizes), slopes], 1)
