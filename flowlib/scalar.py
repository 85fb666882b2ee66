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

from flowlib import moved
from flowlib.bijection import Bijection, as_sizes, find_root, fix, require, sum_event, wide
from flowlib.saving import Built

__all__ = [
    "Affine", "AffineToZ", "AffineTransformer", "Elementwise", "Exp", "LeakyReLU", "MixtureCDF",
    "MixtureCDFTransformer", "Sigmoid", "Transformer", "mixture", "open_interval", "span",
]  # fmt: skip


class Transformer(Built, nn.Module):
    """A monotone function of one variable whose parameters are given for each element.

    `count` is the number of parameters an element needs. With z of shape (batch, *event), the
    parameters have shape (batch, count, *event). Both directions return the new value and the
    log-derivative, each of shape (batch, *event). Parameters of zero give the identity, or the
    nearest thing to it, so that layers start close to doing nothing. Where the values are angles, `period`
    is that of a whole turn.

    Source of the term: Papamakarios et al., 2021, section 3.1.

    Example:
        >>> AffineTransformer().start((3,)).shape  # two parameters for each of three variables
        torch.Size([2, 3])
    """

    count: int
    period: float | None = None

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
    """x = z * exp(s) + t, with |s| < bound. The parameters are t and raw.

    The bound keeps a net's wild guess from overflowing: s = bound * tanh(raw / bound).

    Args:
        bound: the largest |s|; the default lets a layer stretch at most 1000-fold.

    Source: Dinh et al., 2017, "Density estimation using Real NVP", equations 7-8.

    Example:
        >>> x, log_slope = AffineTransformer()(torch.ones(5, 3), torch.zeros(5, 2, 3))
        >>> x.equal(torch.ones(5, 3)), log_slope.equal(torch.zeros(5, 3))  # zeros give the identity
        (True, True)
    """

    count = 2
    lowest: Tensor
    rate: Tensor

    def __init__(self, bound: float = math.log(1000.0)):
        super().__init__()
        # Tensors, because torch multiplies small tensors faster by a tensor than by a number.
        lowest, rate = torch.tensor(-bound, device="cpu"), torch.tensor(2 / bound, device="cpu")
        fix(self, lowest=lowest, rate=rate)
        self.width = -2 * lowest.item()  # of the bound as rounded, so that 0 gives 0

    def log_scale(self, raw: Tensor) -> Tensor:
        # tanh(a) = 2 sigmoid(2a) - 1, and torch's sigmoid is five times faster than its tanh.
        return torch.add(self.lowest, torch.sigmoid(raw * self.rate), alpha=self.width)

    def scale_and_shift(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """s and t, each (batch, *event)."""
        t, raw = params.unbind(1)
        return self.log_scale(raw), t

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(params)
        return torch.addcmul(t, z, s.exp()), s  # x = z e^s + t

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(params)
        return (x - t) * (-s).exp(), -s


class AffineToZ(AffineTransformer):
    """z = x * exp(s) + t, with |s| < bound: the formula goes from x to z, as training on data does.

    Both ways round describe the same maps, but they do not train the same: in z = (x - t) * exp(-s) an
    error of t is blown up by exp(-s) where the density is high, and single points of held-out data then
    score hundreds of nats below the rest. RealNVP and MAF are made of this one.

    Args:
        bound: the largest |s|; the default lets a layer stretch at most sevenfold.

    Source: Dinh et al., 2017, "Density estimation using Real NVP", equations 7-8, from data to latent as
    printed there.

    Example:
        >>> x, params = torch.randn(5, 3), torch.randn(5, 2, 3)
        >>> s, t = AffineToZ().scale_and_shift(params)
        >>> torch.allclose(AffineToZ().inverse(x, params)[0], x * s.exp() + t, atol=1e-5)
        True
    """

    def __init__(self, bound: float = 2.0):
        super().__init__(bound)

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(params)
        return (z - t) * (-s).exp(), -s

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(params)
        return torch.addcmul(t, x, s.exp()), s  # z = x e^s + t


class MixtureCDFTransformer(Transformer):
    """x = sum_k w_k Phi((z - m_k) / s_k): the distribution function of a Gaussian mixture.

    It maps the real line onto the open interval (0, 1). There is no formula for the inverse:
    a root finder solves for z. Parameters: K logits of the weights, K means, K log-scales.

    Raises:
        ValueError: in `inverse`, for x outside (0, 1).

    Source: Ho et al., 2019, "Flow++", section 3.2 (with normal instead of logistic components).

    Example:
        >>> mixture = MixtureCDFTransformer(components=4)
        >>> x, _ = mixture(torch.randn(100, 2), mixture.start((2,)).expand(100, -1, -1))
        >>> bool((x > 0).all() and (x < 1).all())
        True
    """

    def __init__(self, components: int = 4, *, spread: float = 2.0):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        self.components, self.spread = components, spread
        self.count = 3 * components

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        weight, mean, log_scale = self.unpack(params)
        cdf, log_density = mixture(z, weight, mean, log_scale)
        return open_interval(cdf), log_density

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        require((x > 0) & (x < 1), lambda: f"mixture CDF: the inverse needs 0 < x < 1, {span(x)}")
        dtype, x = x.dtype, wide(x)  # torch knows no quantiles below float32
        weight, mean, log_scale = self.unpack(wide(params))
        # Each component alone would put the quantile somewhere; the mixture's lies in between.
        quantiles = mean + log_scale.exp() * torch.special.ndtri(wide(x)).to(x.dtype).unsqueeze(1)

        def cdf_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
            cdf, log_density = mixture(z, weight, mean, log_scale)
            return cdf, log_density.exp()

        z = find_root(cdf_and_slope, x, quantiles.amin(1), quantiles.amax(1))
        return z.to(dtype), -mixture(z, weight, mean, log_scale)[1]

    def unpack(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means and log-scales, each of shape (batch, K, *event)."""
        logits, mean, log_scale = params.chunk(3, dim=1)
        return logits.log_softmax(1), mean, log_scale.clamp(-7.0, 7.0)

    def start(self, event_shape: tuple[int, ...]) -> Tensor:
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

    Example:
        >>> layer = Elementwise(SplineTransformer(), event_shape=(3,))
        >>> x, log_det = layer(torch.randn(5, 3))
        >>> x.shape, log_det.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """

    def __init__(self, transformer: Transformer, event_shape: tuple[int, ...] = ()):
        super().__init__()
        self.transformer = transformer
        self.event_shape = as_sizes(event_shape)
        self.params = nn.Parameter(transformer.start(self.event_shape))

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        x, log_derivative = self.transformer(z, self.params.expand(len(z), *self.params.shape))
        return x, sum_event(log_derivative)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
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

    Example:
        >>> weights, means, deviations = MixtureCDF(components=3, spread=2.0).components()
        >>> means
        tensor([-2.,  0.,  2.])
    """

    transformer: MixtureCDFTransformer

    def __init__(self, components: int = 4, event_shape: tuple[int, ...] = (), *, spread: float = 2.0):
        super().__init__(MixtureCDFTransformer(components, spread=spread), event_shape)

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

    Example:
        >>> Affine(shift=1.0, scale=2.0)(torch.tensor([0.0, 3.0]))
        (tensor([1., 7.]), tensor([0.6931, 0.6931]))
    """

    def __init__(self, shift: Tensor | float = 0.0, scale: Tensor | float = 1.0, *, trainable: bool = False):
        super().__init__()
        shift, scale = _as_float(shift), _as_float(scale)
        if not scale.is_meta and not bool((torch.isfinite(scale) & (scale != 0)).all()):
            raise ValueError(f"Affine needs a finite scale other than 0, got {scale.tolist()}")
        if not shift.is_meta and not bool(torch.isfinite(shift).all()):
            raise ValueError(f"Affine needs a finite shift, got {shift.tolist()}")
        self.shift = nn.Parameter(shift, requires_grad=trainable)
        self.scale = nn.Parameter(scale, requires_grad=trainable)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return self.scale * z + self.shift, self._log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        return (x - self.shift) / self.scale, -self._log_det(x)

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        """Raise also where broadcasting would widen the event, or take the batch for a part of it."""
        super().check(values, context)
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

    Example:
        >>> Exp()(torch.tensor([0.0, 1.0]))
        (tensor([1.0000, 2.7183]), tensor([0., 1.]))
    """

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return z.exp(), sum_event(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        require(x > 0, lambda: f"Exp: the inverse is a logarithm and needs x > 0, {span(x)}")
        z = x.log()
        return z, -sum_event(z)


class Sigmoid(Bijection):
    """x = 1 / (1 + exp(-z)): the real line onto (0, 1). `Inverse(Sigmoid())` is the logit.

    Raises:
        ValueError: in `inverse`, for x outside (0, 1).

    Example:
        >>> Sigmoid()(torch.zeros(1))
        (tensor([0.5000]), tensor([-1.3863]))
    """

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        # log dx/dz = log x + log(1 - x), written so that neither end loses precision.
        return open_interval(torch.sigmoid(z)), sum_event(F.logsigmoid(z) + F.logsigmoid(-z))

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        require((x > 0) & (x < 1), lambda: f"Sigmoid: the inverse needs 0 < x < 1, {span(x)}")
        log_x, log_rest = x.log(), torch.log1p(-x)
        return log_x - log_rest, -sum_event(log_x + log_rest)


class LeakyReLU(Bijection):
    """x = z for z >= 0 and slope * z below: invertible because no slope is zero.

    Args:
        slope: the slope below zero, positive.

    Example:
        >>> LeakyReLU(slope=0.5)(torch.tensor([-2.0, 2.0]))[0]
        tensor([-1.,  2.])
    """

    def __init__(self, slope: float = 0.1):
        super().__init__()
        if not slope > 0:
            raise ValueError(f"LeakyReLU needs a positive slope to be invertible, got {slope}")
        self.slope = slope

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return torch.where(z < 0, self.slope * z, z), self._log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        return torch.where(x < 0, x / self.slope, x), -self._log_det(x)

    def _log_det(self, values: Tensor) -> Tensor:
        return sum_event((values < 0).to(values.dtype) * math.log(self.slope))


__getattr__ = moved.names(__name__)
