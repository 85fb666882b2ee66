"""Monotone functions of one variable.

They come in two forms. A `Transformer` takes its parameters from outside, one set for each
element, so that coupling and autoregressive layers can hand them over. A bijection acts alone,
the same way on every element.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowlib.bijection import Bijection, check_event, find_root, require, sum_event


class Transformer(nn.Module):
    """A monotone function of one variable whose parameters are given for each element.

    `count` is the number of parameters an element needs. With z of shape (batch, *event), the
    parameters have shape (batch, count, *event). Both directions return the new value and the
    log-derivative, each of shape (batch, *event). Parameters of zero give the identity, or the
    nearest thing to it, so that layers start close to doing nothing.

    Source of the term: Papamakarios et al., 2021, section 3.1.
    """

    count: int

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """x and log dx/dz."""
        raise NotImplementedError

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """z and log dz/dx."""
        raise NotImplementedError

    def start(self, event_shape: tuple[int, ...]) -> Tensor:
        """Parameters to start learning from, of shape (count, *event)."""
        return torch.zeros(self.count, *event_shape)


class AffineTransformer(Transformer):
    """x = z * exp(log_scale) + shift, with |log_scale| < bound.

    The bound keeps a net's wild guess from overflowing: log_scale = bound * tanh(raw / bound).

    Args:
        bound: the largest |log_scale|; the default lets a layer stretch at most 1000-fold.

    Source: Dinh et al., 2017, "Density estimation using Real NVP", equations 7-8.
    """

    count = 2

    def __init__(self, bound: float = math.log(1000.0)):
        super().__init__()
        # Tensors, because torch multiplies small tensors faster by a tensor than by a number.
        self.register_buffer("lowest", torch.tensor(-bound), persistent=False)
        self.register_buffer("rate", torch.tensor(2 / bound), persistent=False)
        self.width = -2 * self.lowest.item()  # of the bound as rounded, so that 0 gives 0

    def log_scale(self, raw: Tensor) -> Tensor:
        # tanh(a) = 2 sigmoid(2a) - 1, and torch's sigmoid is five times faster than its tanh.
        return torch.add(self.lowest, torch.sigmoid(raw * self.rate), alpha=self.width)

    def forward(self, z, params):
        shift, raw = params.unbind(1)
        log_scale = self.log_scale(raw)
        return torch.addcmul(shift, z, log_scale.exp()), log_scale

    def inverse(self, x, params):
        shift, raw = params.unbind(1)
        log_scale = -self.log_scale(raw)
        return (x - shift) * log_scale.exp(), log_scale


class InverseTransformer(Transformer):
    """A transformer read backwards: its formula goes from x to z.

    `InverseTransformer(AffineTransformer())` is z = x * exp(s) + t, so x = (z - t) * exp(-s). Both ways
    round describe the same maps, but they do not train the same: in z = (x - t) * exp(-s) an error of t is
    blown up by exp(-s) where the density is high, and single points of held-out data then score
    hundreds of nats below the rest.
    """

    def __init__(self, transformer: Transformer):
        super().__init__()
        self.transformer = transformer
        self.count = transformer.count

    def forward(self, z, params):
        return self.transformer.inverse(z, params)

    def inverse(self, x, params):
        return self.transformer(x, params)

    def start(self, event_shape):
        return self.transformer.start(event_shape)


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
    """

    def __init__(self, bins: int = 8, bound: float = 5.0, min_bin: float = 1e-3, min_slope: float = 1e-3):
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

    def inverse(self, x, params):
        inside, place, x0, width, z0, height, slope0, slope1 = self.find_bin(x, params, axis=0)
        s, t = height / width, (place - x0) / width
        fraction, log_slope = self.curve(s, t, slope0, slope1)
        z = self.bound * (z0 + height * fraction)
        return torch.where(inside, z, x), torch.where(inside, log_slope, 0.0)

    def forward(self, z, params):
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


class MixtureCDFTransformer(Transformer):
    """x = sum_k w_k Phi((z - m_k) / s_k): the distribution function of a Gaussian mixture.

    It maps the real line onto the open interval (0, 1). There is no formula for the inverse:
    a root finder solves for z. Parameters: K logits of the weights, K means, K log-scales.

    Raises:
        ValueError: in `inverse`, for x outside (0, 1).

    Source: Ho et al., 2019, "Flow++", section 3.2 (with normal instead of logistic components).
    """

    def __init__(self, components: int = 4, spread: float = 2.0):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        self.components, self.spread = components, spread
        self.count = 3 * components

    def forward(self, z, params):
        weight, mean, log_scale = self.unpack(params)
        cdf, log_density = mixture(z, weight, mean, log_scale)
        return open_interval(cdf), log_density

    def inverse(self, x, params):
        require((x > 0) & (x < 1), lambda: f"mixture CDF: the inverse needs 0 < x < 1, {span(x)}")
        weight, mean, log_scale = self.unpack(params)
        # Each component alone would put the quantile somewhere; the mixture's lies in between.
        quantiles = mean + log_scale.exp() * torch.special.ndtri(x).unsqueeze(1)

        def cdf_and_slope(z):
            cdf, log_density = mixture(z, weight, mean, log_scale)
            return cdf, log_density.exp()

        z = find_root(cdf_and_slope, x, quantiles.amin(1), quantiles.amax(1))
        return z, -mixture(z, weight, mean, log_scale)[1]

    def unpack(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means and log-scales, each of shape (batch, K, *event)."""
        logits, mean, log_scale = params.chunk(3, dim=1)
        return logits.log_softmax(1), mean, log_scale.clamp(-7.0, 7.0)

    def start(self, event_shape):
        params = torch.zeros(3, self.components, *event_shape)
        if self.components > 1:
            means = torch.linspace(-self.spread, self.spread, self.components)
            params[1] = means.view(-1, *[1] * len(event_shape))
        return params.flatten(0, 1)


def mixture(z: Tensor, log_weight: Tensor, mean: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Distribution function and log-density of a Gaussian mixture; components lie along dim 1."""
    standard = (z.unsqueeze(1) - mean) * (-log_scale).exp()
    cdf = (log_weight.exp() * torch.special.ndtr(standard)).sum(1)
    log_normal = -0.5 * standard**2 - 0.5 * math.log(2 * math.pi) - log_scale
    return cdf, torch.logsumexp(log_weight + log_normal, dim=1)


def open_interval(u: Tensor) -> Tensor:
    """Round to the nearest number strictly inside (0, 1): far out, a CDF rounds to 0 or 1."""
    limits = torch.finfo(u.dtype)
    return u.clamp(limits.tiny, 1 - limits.eps / 2)


def span(values: Tensor) -> str:
    """The range of a tensor in words, for error messages."""
    return f"got values from {values.min().item():.6g} to {values.max().item():.6g}"


class Elementwise(Bijection):
    """One transformer with learned parameters for each element of the event.

    Args:
        transformer: the scalar function.
        event_shape: shape of one data point; () for plain numbers.
    """

    def __init__(self, transformer: Transformer, event_shape: tuple[int, ...] = ()):
        super().__init__()
        self.transformer = transformer
        self.event_shape = tuple(event_shape)
        self.params = nn.Parameter(transformer.start(self.event_shape))

    def forward(self, z, context=None):
        check_event(z, self.event_shape, self)
        x, log_derivative = self.transformer(z, self.params.expand(len(z), *self.params.shape))
        return x, sum_event(log_derivative)

    def inverse(self, x, context=None):
        check_event(x, self.event_shape, self)
        z, log_derivative = self.transformer.inverse(x, self.params.expand(len(x), *self.params.shape))
        return z, sum_event(log_derivative)


class MixtureCDF(Elementwise):
    """The learned distribution function of a Gaussian mixture: the real line onto (0, 1).

    `Inverse(MixtureCDF(4))` followed by nothing, on a base that lives on (0, 1), is a flow whose
    density is a mixture seen through that base. The components can be read off for plots.

    Args:
        components: how many Gaussians.
        event_shape: shape of one data point; () for plain numbers.
        spread: the means start evenly between -spread and spread.
    """

    def __init__(self, components: int = 4, event_shape: tuple[int, ...] = (), spread: float = 2.0):
        super().__init__(MixtureCDFTransformer(components, spread), event_shape)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, means and standard deviations, each of shape (components, *event)."""
        log_weight, mean, log_scale = self.transformer.unpack(self.params.detach()[None])
        return log_weight[0].exp(), mean[0], log_scale[0].exp()


class Affine(Bijection):
    """x = scale * z + shift, elementwise; scale may be negative but not zero.

    Args:
        shift, scale: numbers, or tensors that broadcast to the event shape.
        trainable: whether an optimiser may change them.

    Raises:
        ValueError: a scale is zero, or a number not finite: then nothing can be undone. In both
            directions, for an event that shift and scale do not fit.
    """

    def __init__(self, shift: Tensor | float = 0.0, scale: Tensor | float = 1.0, trainable: bool = False):
        super().__init__()
        shift, scale = _as_float(shift), _as_float(scale)
        if not bool((torch.isfinite(scale) & (scale != 0)).all()):
            raise ValueError(f"Affine needs a finite scale other than 0, got {scale.tolist()}")
        if not bool(torch.isfinite(shift).all()):
            raise ValueError(f"Affine needs a finite shift, got {shift.tolist()}")
        self.shift = nn.Parameter(shift, requires_grad=trainable)
        self.scale = nn.Parameter(scale, requires_grad=trainable)

    def forward(self, z, context=None):
        self._check(z)
        return self.scale * z + self.shift, self._log_det(z)

    def inverse(self, x, context=None):
        self._check(x)
        return (x - self.shift) / self.scale, -self._log_det(x)

    def _check(self, values: Tensor) -> None:
        """Raise where broadcasting would widen the event, or take the batch for a part of it."""
        event, shift, scale = values.shape[1:], self.shift.shape, self.scale.shape
        try:
            fits = torch.broadcast_shapes(event, shift, scale) == event
        except RuntimeError:
            fits = False
        if not fits:
            raise ValueError(
                f"Affine with a shift of shape {tuple(shift)} and a scale of shape {tuple(scale)} "
                f"does not fit an input of shape {tuple(values.shape)}: the first axis is the batch"
            )

    def _log_det(self, values: Tensor) -> Tensor:
        return sum_event(self.scale.abs().log().expand_as(values))


def _as_float(value: Tensor | float) -> Tensor:
    """A floating-point copy: a tensor keeps its precision, a number takes the default."""
    if isinstance(value, Tensor):
        return value.detach().clone() if value.is_floating_point() else value.to(torch.get_default_dtype())
    return torch.tensor(value, dtype=torch.get_default_dtype())


class Exp(Bijection):
    """x = exp(z): the real line onto the positive numbers. `Inverse(Exp())` is the logarithm.

    Raises:
        ValueError: in `inverse`, for x <= 0.
    """

    def forward(self, z, context=None):
        return z.exp(), sum_event(z)

    def inverse(self, x, context=None):
        require(x > 0, lambda: f"Exp: the inverse is a logarithm and needs x > 0, {span(x)}")
        z = x.log()
        return z, -sum_event(z)


class Sigmoid(Bijection):
    """x = 1 / (1 + exp(-z)): the real line onto (0, 1). `Inverse(Sigmoid())` is the logit.

    Raises:
        ValueError: in `inverse`, for x outside (0, 1).
    """

    def forward(self, z, context=None):
        # log dx/dz = log x + log(1 - x), written so that neither end loses precision.
        return open_interval(torch.sigmoid(z)), sum_event(F.logsigmoid(z) + F.logsigmoid(-z))

    def inverse(self, x, context=None):
        require((x > 0) & (x < 1), lambda: f"Sigmoid: the inverse needs 0 < x < 1, {span(x)}")
        log_x, log_rest = x.log(), torch.log1p(-x)
        return log_x - log_rest, -sum_event(log_x + log_rest)


class LeakyReLU(Bijection):
    """x = z for z >= 0 and slope * z below: invertible because no slope is zero.

    Args:
        slope: the slope below zero, positive.
    """

    def __init__(self, slope: float = 0.1):
        super().__init__()
        if not slope > 0:
            raise ValueError(f"LeakyReLU needs a positive slope to be invertible, got {slope}")
        self.slope = slope

    def forward(self, z, context=None):
        return torch.where(z < 0, self.slope * z, z), self._log_det(z)

    def inverse(self, x, context=None):
        return torch.where(x < 0, x / self.slope, x), -self._log_det(x)

    def _log_det(self, values: Tensor) -> Tensor:
        return sum_event((values < 0).to(values.dtype) * math.log(self.slope))
