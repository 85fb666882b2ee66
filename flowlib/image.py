"""Images: squeezing, channels that leave early, 1 x 1 convolutions, dequantization and bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowlib.bijection import (
    Bijection,
    Chain,
    Inverse,
    check_event,
    draw_normal,
    draw_uniform,
    no_log_det,
    require,
    sum_event,
    sum_terms,
)
from flowlib.coupling import Coupling, make_mask
from flowlib.linear import ActNorm, Linear, full_precision
from flowlib.memory import Checkpoint
from flowlib.nets import ConvNet, Widths
from flowlib.scalar import Affine, AffineTransformer, Sigmoid

__all__ = [
    "Conv1x1", "GlowStep", "Split", "Squeeze", "VariationalDequantization",
    "bits_per_dim", "glow_layers", "image_coupling", "logit_pixels", "quantize", "uniform_dequantize",
]  # fmt: skip


class Squeeze(Bijection):
    """Each 2 x 2 block of pixels becomes four channels of one pixel: space is traded for depth.

    (batch, C, H, W) -> (batch, 4 C, H/2, W/2) forward, and back in `inverse`; log-det 0. The four
    pixels of channel c become channels 4c ... 4c + 3, read as a page.

    Source: Dinh et al., 2017, "Density estimation using Real NVP", section 3.6.

    Raises:
        ValueError: the height or the width is odd, or the channels (`inverse`) do not come in fours.

    Example:
        >>> Squeeze()(torch.randn(5, 3, 8, 8))[0].shape
        torch.Size([5, 12, 4, 4])
    """

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        batch, channels, height, width = z.shape
        if height % 2 or width % 2:
            raise ValueError(
                f"Squeeze halves height and width, so both must be even; got {height} x {width}. "
                "Pad or crop the images first."
            )
        blocks = z.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
        return blocks.reshape(batch, 4 * channels, height // 2, width // 2), no_log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        batch, channels, height, width = x.shape
        if channels % 4:
            raise ValueError(f"Squeeze's inverse needs channels in fours, got {channels}")
        blocks = x.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
        return blocks.reshape(batch, channels // 4, 2 * height, 2 * width), no_log_det(x)

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        super().check(values, context)
        _check_image(values, self)

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        channels, height, width = shape
        return 4 * channels, height // 2, width // 2

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        channels, height, width = shape
        return channels // 4, 2 * height, 2 * width


class Split(Bijection):
    """The first half of the channels goes through `inner`, the other half is left as it is.

    On the way from image to latent, the other half is finished here and leaves the flow early. What
    it still has in common with the half that stays is removed by a coupling layer that stands next
    to the split (see `glow_layers`), so that all latents end up standard normal, and together they
    have the shape of the image.

    Source: Dinh et al., 2017, section 3.6; Kingma & Dhariwal, 2018, figure 2b.

    Args:
        inner: a bijection on (batch, C/2, H, W). Shapes are (batch, C, H, W), with C even.

    Example:
        >>> image = torch.randn(5, 4, 8, 8)
        >>> x, _ = Split(Affine(shift=1.0))(image)
        >>> x[:, 2:].equal(image[:, 2:])  # the other half is left as it is
        True
    """

    def __init__(self, inner: Bijection):
        super().__init__()
        self.inner, self.context = inner, inner.context
        if inner.event_shape is not None:
            channels, *size = inner.event_shape
            self.event_shape = 2 * channels, *size

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        stay, leave = self._halves(z)
        stay, log_det = self.inner(stay, context)
        return torch.cat([stay, leave], 1), log_det

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        stay, leave = self._halves(x)
        stay, log_det = self.inner.inverse(stay, context)
        return torch.cat([stay, leave], 1), log_det

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(z, context)
        stay, leave = self._halves(z)
        return torch.cat([self.inner.to_x(stay, context), leave], 1)

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        self.check(x, context)
        stay, leave = self._halves(x)
        return torch.cat([self.inner.to_z(stay, context), leave], 1)

    def _halves(self, values: Tensor) -> tuple[Tensor, Tensor]:
        _check_image(values, self)
        if values.shape[1] % 2:
            raise ValueError(f"Split needs an even number of channels, got {values.shape[1]}")
        stay, leave = values.chunk(2, 1)
        return stay, leave


class Conv1x1(Linear):
    """An invertible 1 x 1 convolution: at every pixel, x = W z mixes the channels by the same matrix.

        log|det dx/dz| = H W log|det W|,

    for the matrix acts once at each of the H W pixels. W starts as a random orthogonal matrix and is
    kept as P L U, the signs of U's diagonal included, so W is what it started from.

    Source: Kingma & Dhariwal, 2018, "Glow", section 3.2.

    Args:
        channels: C. Shapes are (batch, C, H, W) in and out; log-determinants are (batch,).
        generator: source of the starting matrix.

    Example:
        >>> x, log_det = Conv1x1(3)(torch.randn(5, 3, 8, 8))
        >>> log_det.abs().max().item() < 1e-3  # an orthogonal matrix keeps volume
        True
    """

    def __init__(self, channels: int, generator: torch.Generator | None = None):
        super().__init__(channels, bias=False)
        # Drawn where there is memory: the layer itself may be built on "meta".
        device = generator.device if generator else "cpu"
        noise = torch.randn(channels, channels, generator=generator, dtype=torch.float64, device=device)
        self.set_weight(torch.linalg.qr(noise).Q)
        self.event_shape = None  # images of any size

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return _each_pixel(self.weight(), z), self._log_det(z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        # There are many more pixels than channels: W^-1 once costs less than solving for every pixel.
        return _each_pixel(self.solve(self.identity()), x), -self._log_det(x)

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        super().check(values, context)
        _check_image(values, self, self.dim)

    def _log_det(self, values: Tensor) -> Tensor:
        return (_pixels(values) * sum_terms(self.log_diagonal)).expand(len(values))


class GlowStep(Chain):
    """One step of Glow: the chain of coupling, 1 x 1 convolution and ActNorm, in generating order.

    The last two are one affine map of each pixel, hence one product with one matrix:

        x = e^s (W z) + b = (diag(e^s) W) z + b.

    If another kind of layer is put in the place of either, each acts on its own, as in any chain.

    Source: Kingma & Dhariwal, 2018, "Glow", figure 2a.

    Args:
        coupling, conv, norm: bijections on (batch, C, H, W); for the product, `Conv1x1(C)` and `ActNorm(C)`.

    Example:
        >>> step = GlowStep(image_coupling((4, 8, 8)), Conv1x1(4), ActNorm(4))
        >>> step(torch.randn(5, 4, 8, 8))[0].shape
        torch.Size([5, 4, 8, 8])
    """

    def __init__(self, coupling: Bijection, conv: Bijection, norm: Bijection):
        super().__init__(coupling, conv, norm)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        coupling, conv, norm = self
        if not (type(conv) is Conv1x1 and type(norm) is ActNorm):
            return super().forward(z, context)
        z, log_det = coupling(z, context)
        _check_image(z, self, conv.dim)
        matrix = norm.log_scale.exp().unsqueeze(1) * conv.weight()
        return _each_pixel(matrix, z, norm.shift), log_det + _step_log_det(conv, norm, z)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        coupling, conv, norm = self
        if not (type(conv) is Conv1x1 and type(norm) is ActNorm):
            return super().inverse(x, context)
        _check_image(x, self, conv.dim)
        norm.start(x)
        matrix = conv.solve((-norm.log_scale).exp().diag())
        z, log_det = coupling.inverse(_each_pixel(matrix, x - norm.shift.view(-1, 1, 1)), context)
        return z, log_det - _step_log_det(conv, norm, x)

    # One product for convolution and ActNorm, not layer by layer as other chains.
    to_x, to_z = Bijection.to_x, Bijection.to_z


def _step_log_det(conv: Conv1x1, norm: ActNorm, image: Tensor) -> Tensor:
    return _pixels(image) * sum_terms(conv.log_diagonal + norm.log_scale)


def image_coupling(
    shape: Sequence[int],
    hidden: Widths = (64, 64),
    *,
    context: int = 0,
    mask: str | Tensor = "channel",
    bound: float = 2.0,
) -> Coupling:
    """An affine coupling layer for images of shape (C, H, W), its net a small convolutional one.

    The log-scale stays within `bound`: a layer stretches at most e^2-fold, which keeps samples from a
    half-trained flow finite. `mask` is a name for `make_mask`, or boolean of the images' shape.
    """
    mask = make_mask(shape, mask) if isinstance(mask, str) else mask
    seen = moved = shape[0]
    if bool((mask == mask[:, :1, :1]).all()):  # whole channels stay or move: the net sees those that stay
        seen = int(mask[:, 0, 0].sum())
        moved = shape[0] - seen
    return Coupling(shape, mask, ConvNet(seen, 2 * moved, hidden, context=context), AffineTransformer(bound))


def glow_layers(
    shape: Sequence[int],
    levels: int,
    steps: int,
    hidden: Widths,
    *,
    context: int = 0,
    checkpointed: bool = False,
) -> Chain:
    """Glow's multi-scale architecture on images of shape (C, H, W), as a chain from z to x.

    Read towards the latent, each level squeezes, takes `steps` times (ActNorm, 1 x 1 convolution,
    coupling), standardises half of the channels given the other half by one more coupling and lets
    them leave; the other half goes on to the next level.

    Source: Kingma & Dhariwal, 2018, "Glow", figure 2; the coupling before a split is their learned
    prior of the half that leaves.

    Raises:
        ValueError: height or width cannot be halved `levels` times.
    """
    channels, height, width = shape
    if levels < 1 or steps < 1:
        raise ValueError(f"Glow needs levels >= 1 and steps >= 1, got {levels} and {steps}")
    if height % 2**levels or width % 2**levels:
        raise ValueError(
            f"{levels} levels halve height and width {levels} times, so both must be divisible by "
            f"{2**levels}; got images of {height} x {width}. Use fewer levels, or pad the images."
        )
    channels, height, width = inner_shape = (4 * channels, height // 2, width // 2)
    layers: list[Bijection] = [Squeeze()]
    parts: list[Bijection] = []
    if levels > 1:
        deeper = (channels // 2, height, width)
        inner = glow_layers(deeper, levels - 1, steps, hidden, context=context, checkpointed=checkpointed)
        layers.append(Split(inner))
        parts.append(image_coupling(inner_shape, hidden, context=context))
    for _ in range(steps):
        coupling = image_coupling(inner_shape, hidden, context=context)
        parts.append(GlowStep(coupling, Conv1x1(channels), ActNorm(channels)))
    layers += [Checkpoint(part) for part in parts] if checkpointed else parts
    return Chain(*layers, Inverse(Squeeze()))


def uniform_dequantize(x: Tensor, levels: int, generator: torch.Generator | None = None) -> Tensor:
    """y = (x + u) / levels with u ~ U[0, 1): whole numbers 0 ... levels-1 become numbers in [0, 1).

    A density on whole numbers can grow without bound by putting spikes on them; after this it cannot:
    the log-density of y is a lower bound on the log-probability of x (see `bits_per_dim`).

    Source: Theis et al., 2016, "A note on the evaluation of generative models", section 3.1.

    Args:
        x: whole numbers of any shape, as integers or floating-point.

    Raises:
        ValueError: x is not made of whole numbers 0 ... levels-1.
    """
    x = _check_levels(x, levels)
    noise = draw_uniform(x.shape, x, generator)
    return _below_one((x + noise) / levels)


def quantize(y: Tensor, levels: int) -> Tensor:
    """The whole numbers 0 ... levels-1 that y in [0, 1) stands for; values outside go to the ends."""
    return (y * levels).floor().clamp(0, levels - 1).long()


class VariationalDequantization(nn.Module):
    """y = (x + u) / levels with u drawn from a learned q(u | x) instead of uniformly.

    q is a flow: standard normal noise goes through coupling layers that see the image, then through a
    sigmoid into (0, 1). They are ordinary couplings on the image and the noise stacked as channels, in
    which the image always stays. With it

        log P(x) >= E_q[log p(x + u) - log q(u | x)],

    and uniform noise is the special case log q = 0.

    Source: Ho et al., 2019, "Flow++", section 3.1.

    Args:
        shape: (C, H, W) of the images.
        levels: x holds whole numbers 0 ... levels-1.
        hidden: widths of the coupling layers' nets.
        layers: number of coupling layers.

    Example:
        >>> levels = torch.randint(16, (5, 1, 8, 8))
        >>> y, log_q = VariationalDequantization((1, 8, 8), levels=16)(levels)
        >>> quantize(y, 16).equal(levels), log_q.shape
        (True, torch.Size([5]))
    """

    def __init__(self, shape: Sequence[int], levels: int, hidden: Widths = (32, 32), layers: int = 4):
        super().__init__()
        self.shape, self.levels = tuple(shape), levels
        channels, height, width = self.shape
        image_stays = torch.ones(self.shape, dtype=torch.bool, device="cpu")
        white = make_mask((channels, height, width), "checkerboard")
        self.layers = Chain(
            *(
                image_coupling(
                    (2 * channels, height, width),
                    hidden,
                    mask=torch.cat([image_stays, white if index % 2 else ~white]),
                )
                for index in range(layers)
            )
        )

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """y in (0, 1), of the shape of x, (batch, C, H, W), and log q(u | x), (batch,).

        Raises:
            ValueError: x has another shape, or is not made of whole numbers 0 ... levels-1.
        """
        x = _check_levels(x, self.levels)
        check_event(x, self.shape, self)
        noise = draw_normal(x.shape, x, generator)
        image = 2 * (x + 0.5) / self.levels - 1
        joint, log_det = self.layers(torch.cat([image, noise], 1))
        u, log_det_sigmoid = Sigmoid()(joint[:, self.shape[0] :])
        log_normal = -0.5 * sum_event(noise * noise + math.log(2 * math.pi))
        return _below_one((x + u) / self.levels), log_normal - log_det - log_det_sigmoid


def logit_pixels(alpha: float = 0.05) -> Bijection:
    """The last layer of a flow for data in [0, 1]: y = (sigmoid(z) - alpha) / (1 - 2 alpha).

    Its inverse is logit(alpha + (1 - 2 alpha) y); alpha keeps the two ends finite. As part of the flow
    it brings its log-determinant along, so `bits_per_dim` needs no correction.

    Source: Papamakarios et al., 2017, "Masked Autoregressive Flow", appendix; Dinh et al., 2017, section
    4.1, have 1 - alpha in place of 1 - 2 alpha.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha}")
    scale = 1 / (1 - 2 * alpha)
    return Chain(Sigmoid(), Affine(shift=-alpha * scale, scale=scale))


def bits_per_dim(
    log_prob: Tensor,
    shape: Sequence[int],
    levels: int = 256,
    log_det: Tensor | float = 0.0,
    log_q: Tensor | float = 0.0,
) -> Tensor:
    """Bits that a lossless code needs for each of the D numbers of an image, at most.

    An image x holds D whole numbers 0 ... levels-1; y = (x + u) / levels is what the flow sees. The
    probability of x is the density of x + u, integrated over the unit cube of u:

        P(x) = integral p_{x+u}(x + u) du   and   p_{x+u}(v) = p_y(v / levels) levels^-D,

    the factor because dividing by `levels` squeezes volume. Jensen's inequality moves the logarithm
    inside, for u uniform (log_q = 0) or drawn from q(u | x):

        log P(x) >= E[ log p_y(y) - D log(levels) - log q(u | x) ].

    If the flow models w = g(y) instead of y, then log p_y(y) = log p_w(w) + log|det dg/dy|; for
    w = y - 1/2 this term is 0, for w = c y it is D log c, for a logit it depends on y. Dividing by
    D log 2 turns nats for the image into bits for one number:

        bits = -(log_prob + log_det - D log(levels) - log_q) / (D log 2).

    A flow that has learned nothing, p_y = 1 on [0, 1]^D, gets log2(levels): 8 bits for 256 levels.

    Source: Theis et al., 2016, section 3.1; Papamakarios et al., 2017, "Masked Autoregressive Flow",
    appendix E (for the logit).

    Args:
        log_prob: the flow's log-density, (batch,), in nats.
        shape: (C, H, W) of one image, or D.
        levels: number of values a pixel can take.
        log_det: log|det dg/dy| of whatever was done to y in [0, 1] before the flow, (batch,) or a number.
        log_q: log q(u | x) of variational dequantization, (batch,), or 0 for uniform noise.

    Returns:
        (batch,).
    """
    size = math.prod([shape] if isinstance(shape, int) else shape)
    nats = log_prob + log_det - size * math.log(levels) - log_q
    return -nats / (size * math.log(2))


def _check_image(values: Tensor, owner: object, channels: int | None = None) -> None:
    """Raise unless `values` has shape (batch, C, H, W), with C = channels if that is given."""
    if values.dim() != 4 or channels not in (None, values.shape[1]):
        raise ValueError(
            f"{type(owner).__name__} expected images of shape (batch, {channels or 'C'}, H, W), "
            f"got {tuple(values.shape)}"
        )
    check_event(values, tuple(values.shape[1:]), owner)


def _pixels(image: Tensor) -> int:
    return image.shape[2] * image.shape[3]


def _each_pixel(matrix: Tensor, values: Tensor, shift: Tensor | None = None) -> Tensor:
    """A matrix, (C, C), times the channels of every pixel, plus a shift, (C,): (batch, C, H, W) each."""
    # The same matrix for each image, not copied: on a CPU twice as fast as F.conv2d, matmul or einsum.
    factors = matrix.expand(len(values), -1, -1), values.flatten(2)
    with full_precision(values):
        product = torch.bmm(*factors) if shift is None else torch.baddbmm(shift.unsqueeze(1), *factors)
    return product.view_as(values)


def _check_levels(x: Tensor, levels: int) -> Tensor:
    """x as floating-point; raise unless it holds whole numbers 0 ... levels-1."""
    x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
    require(
        (x >= 0) & (x <= levels - 1) & (x == x.round()),
        lambda: (
            f"expected whole numbers 0 ... {levels - 1} (levels={levels}), got values from "
            f"{float(x.min()):g} to {float(x.max()):g}: pass the images before any scaling"
        ),
    )
    return x


def _below_one(y: Tensor) -> Tensor:
    """Rounding may turn a number just below 1 into 1, which belongs to no level."""
    return y.clamp(max=1 - torch.finfo(y.dtype).eps)
