"""A flow: a bijection and a base distribution; and the named models of the course."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, constraints

from flowlib.autoregressive import MaskedAutoregressive
from flowlib.bijection import (
    Bijection,
    Chain,
    Inverse,
    Step,
    check_context,
    check_event,
    draw_normal,
    sum_event,
)
from flowlib.continuous import Continuous, VelocityMLP
from flowlib.coupling import Coupling, make_mask
from flowlib.image import glow_layers
from flowlib.nets import MLP, Activation
from flowlib.planar import Planar, Radial
from flowlib.scalar import AffineTransformer, InverseTransformer, SplineTransformer, Transformer


class StandardNormal(nn.Module):
    """The base N(0, I) on tensors of shape (batch, *event_shape).

    Written out rather than taken from torch.distributions, so that log_prob stays a few plain
    tensor operations that any device and compiler can run.
    """

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = tuple(event_shape)
        # Tells where and in which precision to draw; follows .to() and .double().
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: (batch, *event) -> (batch,)."""
        return -0.5 * sum_event(z * z) - 0.5 * math.log(2 * math.pi) * math.prod(self.event_shape)

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws with standard deviation `temperature`, of shape (n, *event)."""
        noise = draw_normal((n, *self.event_shape), self.anchor, generator)
        return noise if temperature == 1.0 else temperature * noise

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}"


class Base(nn.Module):
    """Any torch.distributions object as a base: it moves with the flow and keeps to its support.

    A batch of scalar distributions, Normal(zeros(2), ones(2)), is read as one event of shape (2,).
    Outside the support the log-density is -inf rather than an error or a wrong number.
    """

    def __init__(self, distribution: Distribution):
        super().__init__()
        if not isinstance(distribution, Distribution):
            raise TypeError(
                f"a base must be a torch.distributions.Distribution, got {type(distribution).__name__}. "
                "For a standard normal in D dimensions write StandardNormal((D,))."
            )
        if distribution.batch_shape:
            distribution = Independent(distribution, len(distribution.batch_shape))
        self.distribution = map_tensors(distribution, lambda tensor: tensor)
        self.distribution._validate_args = False
        self.event_shape = tuple(distribution.event_shape)
        self.register_buffer("centre", _interior_point(self.distribution), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, -inf outside the support: (batch, *event) -> (batch,)."""
        inside = self.distribution.support.check(z)
        # Outside, a harmless point is scored instead, so that no NaN reaches the gradient.
        each = inside.view(-1, *[1] * len(self.event_shape))
        harmless = torch.where(each, z, self.centre.to(z.dtype))
        return self.distribution.log_prob(harmless).masked_fill(~inside, -math.inf)

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); a temperature other than 1 scales them about the mean."""
        if temperature != 1.0 and not _is_real(self.distribution.support):
            raise ValueError(
                f"temperature={temperature} has no meaning for a base with bounded support "
                f"({self.distribution}): use temperature=1.0, or a normal base"
            )
        draws = _draw(self.distribution, n, generator)
        if temperature == 1.0:
            return draws
        return self.centre + temperature * (draws - self.centre)

    def _apply(self, function, recurse=True):
        """Called by .to(), .double(), .cuda(): moves the distribution's tensors as well."""
        self.distribution = map_tensors(self.distribution, function)
        return super()._apply(function, recurse)

    def extra_repr(self) -> str:
        return str(self.distribution)


def map_tensors(thing, function, seen: dict | None = None):
    """A copy of a distribution with `function` applied to every tensor inside it."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return seen[id(thing)]
    if isinstance(thing, Tensor):
        return function(thing)
    if isinstance(thing, (list, tuple)) and not isinstance(thing, torch.Size):
        return type(thing)([map_tensors(item, function, seen) for item in thing])
    if isinstance(thing, (Distribution, torch.distributions.Transform)):
        # A transform and its inverse may point at each other: each is copied once.
        twin = seen[id(thing)] = copy.copy(thing)
        for name, value in vars(thing).items():
            if isinstance(value, (Tensor, list, tuple, Distribution, torch.distributions.Transform)):
                twin.__dict__[name] = map_tensors(value, function, seen)
        return twin
    return thing


def _interior_point(distribution: Distribution) -> Tensor:
    """A point inside the support: the mean, or a draw where no finite mean is known."""
    draw = _draw(distribution, 1, torch.Generator().manual_seed(0))[0]
    try:
        mean = distribution.mean
    except NotImplementedError:
        return draw
    return torch.where(torch.isfinite(mean), mean, draw)


def _is_real(support) -> bool:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support in (constraints.real, constraints.real_vector)


def _draw(distribution: Distribution, n: int, generator: torch.Generator | None) -> Tensor:
    draw = distribution.rsample if distribution.has_rsample else distribution.sample
    if generator is None:
        return draw((n,))
    # torch.distributions takes no generator: seed the global one from it, for this draw alone.
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    devices = [generator.device] if generator.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        return draw((n,))


class Flow(nn.Module):
    """A distribution: draw z from the base, return x = bijection(z).

    log p(x) = log p_base(z) + log|det dz/dx| with z = bijection.inverse(x).

    Args:
        bijection: maps z to x; both of shape (batch, *event).
        base: `StandardNormal(event_shape)`, or any torch.distributions object.

    Source: Papamakarios et al., 2021, equations 3-6.
    """

    context_size: int | None = None  # 0: the flow takes no context; None: its layers look

    def __init__(self, bijection: Bijection, base: nn.Module | Distribution):
        super().__init__()
        if not isinstance(bijection, Bijection):
            raise TypeError(
                f"Flow needs a Bijection first, got {type(bijection).__name__}: Flow(bijection, base)"
            )
        self.bijection = bijection
        self.base = base if isinstance(base, nn.Module) else Base(base)
        self.event_shape = self.base.event_shape

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density of data in nats.

        Args:
            x: (batch, *event).
            context: (batch, context), for conditional flows only.

        Returns:
            (batch,). Minus infinity where x has no counterpart in the base's support.

        Raises:
            ValueError: a wrong shape, a missing context or one that the flow does not take, or x outside
                the bijection's domain.
        """
        check_event(x, self.event_shape, self)
        self._check_context(context, len(x))
        z, log_det = self.bijection.inverse(x, context)
        return self.base.log_prob(z) + log_det

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The same as `log_prob`, so that wrappers such as DistributedDataParallel work."""
        return self.log_prob(x, context)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        context: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """n draws, without gradients.

        Args:
            n: how many.
            context: (n, context), or one row for all draws.
            temperature: scale of the base noise; below 1 the samples keep to the dense regions.
            generator: source of randomness, for draws that repeat.

        Returns:
            (n, *event).
        """
        self._check_context(context, n)
        z = self._sample_base(n, temperature, generator)
        return self.bijection(z, _rows(context, n))[0]

    def sample_with_log_prob(
        self,
        n: int,
        context: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """n draws and their log-density under the flow, with gradients, in one pass.

        This is what variational inference needs: log p(x) = log p_base(z) - log|det dx/dz|.
        The log-density is the flow's own, at temperature 1, whatever temperature drew the samples.

        Returns:
            (n, *event) and (n,).
        """
        self._check_context(context, n)
        z = self._sample_base(n, temperature, generator)
        x, log_det = self.bijection(z, _rows(context, n))
        return x, self.base.log_prob(z) - log_det

    @torch.no_grad()
    def trace(self, values: Tensor, context: Tensor | None = None, inverse: bool = False) -> list[Step]:
        """Every stop on the way: from z to x, or from x to z with `inverse=True`.

        Returns:
            Steps of (name, value, log_det), the start included. `log_det` is the sum so far.
        """
        check_event(values, self.event_shape, self)
        self._check_context(context, len(values))
        stops = [Step("x" if inverse else "z", values, values.new_zeros(len(values)))]
        layers = list(self.bijection.steps())
        for name, layer in reversed(layers) if inverse else layers:
            before = stops[-1]
            value, term = (layer.inverse if inverse else layer)(before.value, context)
            stops.append(Step(name, value, before.log_det + term))
        return stops

    def _check_context(self, context: Tensor | None, rows: int) -> None:
        if self.context_size is not None:
            check_context(context, self.context_size, rows, self)

    def _sample_base(self, n: int, temperature: float, generator: torch.Generator | None) -> Tensor:
        if not isinstance(n, int) or n < 0:
            raise ValueError(f"the number of samples must be a whole number >= 0, got {n!r}")
        if not temperature >= 0:
            raise ValueError(f"the temperature must be >= 0, got {temperature}")
        return self.base.sample(n, temperature, generator)

    @property
    def parameter_count(self) -> int:
        """How many numbers an optimiser may change."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def __repr__(self) -> str:
        names = [name for name, _ in self.bijection.steps()]
        shown = names if len(names) <= 12 else [*names[:5], f"... {len(names) - 10} more ...", *names[-5:]]
        return (
            f"{type(self).__name__}(event {self.event_shape}, {self.parameter_count:,} parameters)\n"
            f"  base: {self.base}\n  z -> " + " -> ".join(shown) + " -> x"
        )


def _rows(context: Tensor | None, n: int) -> Tensor | None:
    """One context row for each of n draws."""
    if context is None:
        return None
    if context.dim() == 1:
        context = context[None]
    return context.expand(n, -1) if len(context) == 1 else context


# --- the named models ----------------------------------------------------------------------
# Each is a Flow on a standard normal base. Untrained, Glow and CNF are the base itself, because their
# nets end in a layer of zeros. The others start near it, from random nets: they learn faster so (1,000
# steps: RealNVP ends 0.12 nats higher on two moons and 0.28 on Ames, NSF 0.03 on two moons).


class PlanarFlow(Flow):
    """Planar layers, one after another: each bends space along one hyperplane.

    One direction has a formula and the other needs a root for every point and layer, so choose.

    Args:
        dim: number of variables D, 1 included.
        layers: number of planar layers.
        cheap: "sample" puts the formula on z -> x, which variational inference needs; "density" puts
            it on x -> z (each layer is an `Inverse(Planar)`), which fitting to data needs. The two are
            different families of densities.

    Shapes: x (batch, D).

    Raises:
        ValueError: `cheap` is neither of the two.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows".
    """

    context_size = 0

    def __init__(self, dim: int, layers: int = 16, cheap: str = "sample"):
        if cheap not in ("sample", "density"):
            raise ValueError(f"cheap must be 'sample' or 'density', got {cheap!r}")
        steps = [Planar(dim) for _ in range(layers)]
        if cheap == "density":
            steps = [Inverse(step) for step in steps]
        super().__init__(Chain(*steps), StandardNormal((dim,)))


class RadialFlow(Flow):
    """Radial layers, one after another: each pulls space to a point or pushes it away.

    Both directions have a formula.

    Args:
        dim: number of variables D, 1 included.
        layers: number of radial layers.

    Shapes: x (batch, D).

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows".
    """

    context_size = 0

    def __init__(self, dim: int, layers: int = 16):
        super().__init__(Chain(*(Radial(dim) for _ in range(layers))), StandardNormal((dim,)))


class RealNVP(Flow):
    """Affine coupling layers; both directions cost one pass.

    Args:
        dim: number of variables D, at least 2.
        layers: number of coupling layers.
        hidden: widths of the hidden layers of each conditioner.
        context: number of context features.
        activation: of the conditioners.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: dim is 1: a coupling needs one variable to tell how another moves.

    Source: Dinh et al., 2017, "Density estimation using Real NVP".
    """

    def __init__(
        self,
        dim: int,
        layers: int = 8,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        activation: Activation = nn.ReLU,
    ):
        steps = couplings(dim, layers, hidden, context, activation, affine_to_z())
        super().__init__(steps, StandardNormal((dim,)))


class NSF(Flow):
    """Neural spline flow: coupling layers with rational-quadratic splines.

    The splines act on [-bound, bound] and are the identity outside: standardise the data first.

    Args:
        dim, layers, hidden, context, activation: as for `RealNVP`.
        bins: bins of each spline.
        bound: half the width of the interval on which the splines act.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: dim is 1: a coupling needs one variable to tell how another moves.

    Source: Durkan et al., 2019, "Neural Spline Flows", RQ-NSF (C).
    """

    def __init__(
        self,
        dim: int,
        layers: int = 4,
        hidden: Sequence[int] = (64, 64),
        bins: int = 8,
        context: int = 0,
        activation: Activation = nn.ReLU,
        bound: float = 5.0,
    ):
        transformer = SplineTransformer(bins, bound)
        super().__init__(
            couplings(dim, layers, hidden, context, activation, transformer), StandardNormal((dim,))
        )


class MAF(Flow):
    """Masked autoregressive flow: log_prob is one pass, a sample takes D steps (of one pass in all).

    Every second layer takes the variables in the opposite order.

    Args:
        dim: number of variables D, 1 included.
        layers, hidden, context, activation: as for `RealNVP`.
        transformer: "affine", "spline", or any `Transformer`.

    Shapes: x (batch, D), context (batch, context).

    Raises:
        ValueError: an unknown transformer.

    Source: Papamakarios et al., 2017, "Masked Autoregressive Flow for Density Estimation".
    """

    def __init__(
        self,
        dim: int,
        layers: int = 5,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        transformer: str | Transformer = "affine",
        activation: Activation = nn.ReLU,
    ):
        steps = autoregressive_layers(dim, layers, hidden, context, transformer, activation)
        super().__init__(Chain(*steps), StandardNormal((dim,)))


class IAF(Flow):
    """Inverse autoregressive flow: a sample is one pass, log_prob takes D steps (of one pass in all).

    The layers of `MAF` read backwards; arguments, shapes and errors as there.

    Source: Kingma et al., 2016, "Improving Variational Inference with Inverse Autoregressive Flow".
    """

    def __init__(
        self,
        dim: int,
        layers: int = 5,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        transformer: str | Transformer = "affine",
        activation: Activation = nn.ReLU,
    ):
        steps = autoregressive_layers(dim, layers, hidden, context, transformer, activation)
        super().__init__(Chain(*map(Inverse, steps)), StandardNormal((dim,)))


class Glow(Flow):
    """Multi-scale flow for images: ActNorm, 1 x 1 convolutions and affine couplings.

    The latents of all levels together have the shape of the image. The first batch in training mode
    sets the scales of the ActNorm layers.

    Args:
        shape: (C, H, W) of the images; H and W divisible by 2^levels.
        levels: how often to squeeze; half of the channels leave after each level but the last.
        steps: steps of (ActNorm, 1 x 1 convolution, coupling) in each level.
        hidden: channels of the hidden layers of each coupling's convolutional net.
        context: number of context features, such as 10 for a one-hot class.
        checkpointed: compute each step again in the backward pass, for less memory.

    Shapes: x (batch, C, H, W), context (batch, context).

    Raises:
        ValueError: the images cannot be halved `levels` times.

    Source: Kingma & Dhariwal, 2018, "Glow: Generative Flow with Invertible 1x1 Convolutions".
    """

    def __init__(
        self,
        shape: Sequence[int],
        levels: int = 2,
        steps: int = 8,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        checkpointed: bool = False,
    ):
        layers = glow_layers(shape, levels, steps, hidden, context, checkpointed)
        super().__init__(layers, StandardNormal(tuple(shape)))


class CNF(Flow):
    """Continuous normalizing flow: points move along a velocity field that a smooth net gives.

    Args:
        dim: number of variables D, 1 included.
        hidden: widths of the hidden layers of the velocity's net.
        context: number of context features.
        activation: "tanh" or "softplus".
        **solver: arguments of `Continuous`: trace, noise, method, steps, rtol, atol, adjoint, generator.

    Shapes: x (batch, D), context (batch, context).

    Source: Chen et al., 2018, "Neural Ordinary Differential Equations"; Grathwohl et al., 2019, "FFJORD".
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
        activation: str = "tanh",
        **solver,
    ):
        net = VelocityMLP(dim, hidden, context, activation)
        super().__init__(Continuous(net, **solver), StandardNormal((dim,)))


def affine_to_z() -> Transformer:
    """z = x * exp(s) + t with |s| < 2: the formula from x to z, as Dinh et al. (2017) print it, because
    training on data goes that way. IAF, which is trained from z to x, turns it round."""
    return InverseTransformer(AffineTransformer(bound=2.0))


def couplings(
    dim: int,
    layers: int,
    hidden: Sequence[int],
    context: int,
    activation: Activation,
    transformer: Transformer,
) -> Chain:
    """Coupling layers in which every variable moves in every second layer.

    Masks: the first half stays, the second half, the even places, the odd places, and so on, so
    that a variable meets different partners.
    """
    steps = []
    for layer in range(layers):
        mask = make_mask(dim, "half" if layer % 4 < 2 else "alternating")
        mask = mask if layer % 2 == 0 else ~mask
        stay = int(mask.sum())
        outputs = transformer.count * (dim - stay)
        conditioner = MLP(stay, outputs, hidden, context, activation, zero_start=False)
        steps.append(Coupling(dim, mask, conditioner, transformer))
    return Chain(*steps)


def autoregressive_layers(
    dim: int,
    layers: int,
    hidden: Sequence[int],
    context: int,
    transformer: str | Transformer,
    activation: Activation,
) -> list[MaskedAutoregressive]:
    """Masked autoregressive layers, every second one with the variables in the opposite order."""
    if isinstance(transformer, str):
        known = {"affine": affine_to_z, "spline": SplineTransformer}
        if transformer not in known:
            raise ValueError(f'transformer must be "affine", "spline" or a Transformer, got "{transformer}"')
        transformer = known[transformer]()
    orders = [range(dim), range(dim)[::-1]]
    return [
        MaskedAutoregressive(
            dim, hidden, transformer, orders[layer % 2], context, activation, zero_start=False
        )
        for layer in range(layers)
    ]
