"""The logit of a mixture's distribution function: a smooth monotone map of the whole line."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowlib.bijection import find_root, wide
from flowlib.scalar import AffineToZ, Transformer

__all__ = ["LogisticMixtureTransformer"]


class LogisticMixtureTransformer(Transformer):
    """z = exp(a) * logit(F(x)) + b, where F is the distribution function of K logistics.

    F(x) = sum_k w_k sigmoid((x - m_k) / s_k) bends the line wherever a component stands, the logit takes
    (0, 1) back to the line, and an affine map follows. Unlike a spline it is smooth and acts on all of the
    line; far out it is straight. Parameters: K logits of the weights, K means, K log-scales, and t and raw
    of `AffineToZ`.

    Between components that stand far apart the logit is flat. So min_slope * x is added, and
    (1 - min_slope) of the logit taken: then the slope before the affine map is between min_slope and 1000.

    The curve is z as a function of x: `inverse`, which training calls, is the formula. `forward` has none:
    a root finder solves for x, in a bracket that is always right, because each component alone would put x
    somewhere and the mixture puts it in between. Gradients of the root, second and third ones too, are those
    of the implicit function theorem (`find_root`). A search that stops when all have converged looks at
    values, so on a GPU a sampler with this transformer is never recorded: it runs step by step.

    Parameters of zero give nearly the identity: means that lie apart, from -spread to spread, for equal
    components would be given equal gradients and never part.

    Args:
        components: K.
        spread: of the means to start from.
        bound: the largest |a|; the default lets the affine map stretch at most sevenfold.
        min_slope: see above.

    Raises:
        ValueError: no components, a min_slope outside (0, 1); in `forward`, for z that is not finite.

    Source: Ho et al., 2019, "Flow++", the logistic mixture coupling; the added slope is ours.

    Example:
        >>> rule = LogisticMixtureTransformer(components=4)
        >>> z, _ = rule.inverse(torch.tensor([-3.0, -1.0, 1.0, 3.0]), torch.zeros(4, rule.count))
        >>> z  # parameters of zero: not far from the identity
        tensor([-2.7669, -0.8869,  0.8869,  2.7669])
    """

    def __init__(
        self, components: int = 8, *, spread: float = 1.0, bound: float = 2.0, min_slope: float = 1e-3
    ):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        if not 0 < min_slope < 1:
            raise ValueError(f"a mixture needs 0 < min_slope < 1, got {min_slope}")
        self.components, self.spread, self.min_slope = components, spread, min_slope
        self.affine = AffineToZ(bound)
        self.count = 3 * components + self.affine.count

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = self.split(params)
        y, slope = self.bend(wide(x), *mixture)
        z, log_scale = self.affine.inverse(y, affine)
        return z.to(x.dtype), slope.log() + log_scale

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = self.split(params)
        y, log_scale = self.affine(wide(z), affine)
        _, mean, log_scales = mixture
        # Where each component alone, the line (1 - e) (x - m) / s + e x = y, would put x.
        share, scale = 1 - self.min_slope, log_scales.exp()
        alone = (scale * y.unsqueeze(1) + share * mean) / (share + self.min_slope * scale)
        x = find_root(lambda x: self.bend(x, *mixture), y, alone.amin(1), alone.amax(1), noise=4)
        return x.to(z.dtype), log_scale - self.bend(x, *mixture)[1].log()

    def split(self, params: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Log-weights, means and log-scales, each (batch, K, *event), and the affine map's parameters."""
        params, K = wide(params), self.components
        logits, mean, log_scale, affine = params.split([K, K, K, self.affine.count], 1)
        start = torch.linspace(-self.spread, self.spread, K, dtype=params.dtype, device=params.device)
        mean = mean + start.view(-1, *[1] * (params.dim() - 2)) if K > 1 else mean
        most = math.log(1e3)
        return (logits.log_softmax(1), mean, log_scale.clamp(-most, most)), affine

    def bend(self, x: Tensor, log_weight: Tensor, mean: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """(1 - min_slope) logit F(x) + min_slope x, and its derivative, each shaped as x.

        F, 1 - F and the density are sums of exponentials far smaller than what a float can hold: only
        their logarithms are ever formed.
        """
        standard = (x.unsqueeze(1) - mean) * (-log_scale).exp()
        log_cdf, log_rest = F.logsigmoid(standard), F.logsigmoid(-standard)
        log_f = torch.logsumexp(log_weight + log_cdf, 1)  # log F
        log_g = torch.logsumexp(log_weight + log_rest, 1)  # log (1 - F)
        # A logistic density is sigmoid * (1 - sigmoid) / s, and d logit(F) = dF / (F (1 - F)).
        log_density = torch.logsumexp(log_weight + log_cdf + log_rest - log_scale, 1)
        slope = (log_density - log_f - log_g).exp()
        share = 1 - self.min_slope
        return share * (log_f - log_g) + self.min_slope * x, share * slope + self.min_slope
