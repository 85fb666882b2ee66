"""Base distributions: where a flow starts from.

A base is a module with an `event_shape`, `log_prob(z)` and `sample(n, temperature, generator)`. Its
parameters, if it has any, are trained with the flow: p(z; psi) of Papamakarios et al., 2021, section 2.1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, constraints

from flowlib.bijection import as_sizes, draw_normal, draw_uniform, sum_event
from flowlib.saving import Built

__all__ = [
    "Base", "DiagonalNormal", "MixtureNormal", "StandardNormal", "StudentT", "UniformAngles", "map_tensors",
]  # fmt: skip


class StandardNormal(Built, nn.Module):
    """The base N(0, I) on tensors of shape (batch, *event_shape); D stands for the event shape (D,).

    Written out rather than taken from torch.distributions, so that log_prob stays a few plain
    tensor operations that any device and compiler can run.

    Example:
        >>> base = StandardNormal(2)
        >>> base.log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    anchor: Tensor

    def __init__(self, event_shape: int | Sequence[int]):
        super().__init__()
        self.event_shape = as_sizes(event_shape)
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


class DiagonalNormal(Built, nn.Module):
    """N(mean, diag(deviation^2)) with a mean and a deviation that are learned for each element of the event.

    It starts as the standard normal. Freeze it with `base.requires_grad_(False)`.

    Args:
        event_shape: (D,) or D for vectors, () for plain numbers.

    Example:
        >>> base = DiagonalNormal(2)
        >>> base.log_prob(torch.zeros(1, 2)).detach(), base.deviation.detach()
        (tensor([-1.8379]), tensor([1., 1.]))
    """

    def __init__(self, event_shape: int | Sequence[int]):
        super().__init__()
        self.event_shape = as_sizes(event_shape)
        self.mean = nn.Parameter(torch.zeros(self.event_shape))
        self.log_deviation = nn.Parameter(torch.zeros(self.event_shape))

    @property
    def deviation(self) -> Tensor:
        """The standard deviations, of the event's shape."""
        return self.log_deviation.exp()

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: (batch, *event) -> (batch,)."""
        return sum_event(_log_normal(z, self.mean, self.log_deviation))

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); the temperature scales them about the mean."""
        noise = draw_normal((n, *self.event_shape), self.mean, generator)
        return self.mean + temperature * self.deviation * noise

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}"


class MixtureNormal(Built, nn.Module):
    """sum_k w_k N(mean_k, diag(deviation_k^2)), all learned: a base with several modes.

    A flow bends space but cannot tear it: on one Gaussian, modes stay joined by bridges of density. With a
    component for each mode they need not be. The means start as draws from N(0, spread^2), the weights
    equal, the deviations 1.

    Draws carry gradients to means and deviations but not to the weights, for which component a draw comes
    from is no smooth choice. `Flow.sample_with_log_prob`, and so `fit_energy`, refuses such a base unless
    its `logits` are frozen: `base.logits.requires_grad_(False)`.

    Args:
        event_shape: (D,) or D for vectors, () for plain numbers.
        components: K.
        spread: of the means to start from.
        generator: source of the starting means.

    Source: Stimper et al., 2022, "Resampling Base Distributions of Normalizing Flows", section 2.2.

    Example:
        >>> base = MixtureNormal(2, components=3)
        >>> base.log_prob(torch.randn(5, 2)).shape, base.weights.detach()
        (torch.Size([5]), tensor([0.3333, 0.3333, 0.3333]))
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        components: int = 4,
        *,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        self.event_shape, self.components = as_sizes(event_shape), components
        shape = (components, *self.event_shape)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(spread * torch.randn(shape, generator=generator))
        self.log_deviations = nn.Parameter(torch.zeros(shape))

    @property
    def weights(self) -> Tensor:
        """The components' weights, (K,)."""
        return self.logits.softmax(0)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: (batch, *event) -> (batch,)."""
        terms = _log_normal(z.unsqueeze(1), self.means, self.log_deviations)
        joint = sum_event(terms.flatten(0, 1)).view(-1, self.components)
        return torch.logsumexp(joint + self.logits.log_softmax(0), 1)

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); the temperature scales each about the mean of its component."""
        chance = draw_uniform((n, 1), self.logits, generator)
        # Without the last sum, which rounding may leave below 1.
        which = (chance >= self.weights.detach().cumsum(0)[:-1]).sum(1)
        noise = draw_normal((n, *self.event_shape), self.means, generator)
        deviation = self.log_deviations.index_select(0, which).exp()
        return self.means.index_select(0, which) + temperature * deviation * noise

    def gradients_miss(self) -> str:
        """What draws carry no gradient to although it is trained; "" if nothing."""
        return "the weights of the mixture (logits)" if self.logits.requires_grad else ""

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}, components={self.components}"


class StudentT(Built, nn.Module):
    """Independent Student-t variables, with degrees of freedom, mean and scale learned for each of them.

    A flow whose layers stretch by bounded factors keeps the tails of its base: on a Gaussian it has no
    heavy ones. With df degrees of freedom the density falls as |z|^-(df + 1).

    Args:
        event_shape: (D,) or D for vectors, () for plain numbers.
        df: the degrees of freedom to start from, above 0.

    Source: Jaini et al., 2020, "Tails of Lipschitz Triangular Flows"; Laszkiewicz et al., 2022,
    "Marginal Tail-Adaptive Normalizing Flows".

    Example:
        >>> StudentT((), df=1.0).log_prob(torch.zeros(1)).detach()  # Cauchy: 1 / pi
        tensor([-1.1447])
    """

    def __init__(self, event_shape: int | Sequence[int], *, df: float = 5.0):
        super().__init__()
        if not 0 < df < math.inf:
            raise ValueError(f"StudentT needs a finite df > 0, got {df}")
        self.event_shape = as_sizes(event_shape)
        self.log_df = nn.Parameter(torch.full(self.event_shape, math.log(df)))
        self.mean = nn.Parameter(torch.zeros(self.event_shape))
        self.log_scale = nn.Parameter(torch.zeros(self.event_shape))

    @property
    def df(self) -> Tensor:
        """The degrees of freedom, of the event's shape."""
        return self.log_df.exp()

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: (batch, *event) -> (batch,)."""
        df = self.df
        square = ((z - self.mean) * (-self.log_scale).exp()).square()
        constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * (math.log(math.pi) + self.log_df)
        return sum_event(constant - self.log_scale - (df + 1) / 2 * torch.log1p(square / df))

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); the temperature scales them about the mean."""
        shape = (n, *self.event_shape)
        radius, angle = (draw_uniform(shape, self.mean, generator) for _ in range(2))
        # Bailey, 1994, "Polar generation of random variates with the t-distribution": for u and v uniform,
        # sqrt(df (u^(-2 / df) - 1)) cos(2 pi v) is Student-t, whatever df. It is smooth in df.
        minus_log = -torch.log1p(-radius).clamp(max=-torch.finfo(radius.dtype).eps)
        noise = (self.df * torch.expm1(2 / self.df * minus_log)).sqrt() * torch.cos(2 * math.pi * angle)
        return self.mean + temperature * self.log_scale.exp() * noise

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}"


class UniformAngles(Built, nn.Module):
    """Independent angles, all as likely: the uniform density of a circle, or with D = 2 of a torus.

    An angle is a point of the circle however many turns are added to it, so the density is the same
    everywhere, period^-D, and draws lie in [-period/2, period/2).

    Args:
        event_shape: (D,) or D for vectors, () for plain numbers.
        period: of the angles.

    Raises:
        ValueError: a period that is not above 0; in `sample`, a temperature, which has no meaning here.

    Source: Rezende et al., 2020, "Normalizing Flows on Tori and Spheres".

    Example:
        >>> UniformAngles(2).log_prob(torch.tensor([[0.0, 9.0]]))  # -2 log 2 pi
        tensor([-3.6758])
    """

    anchor: Tensor

    def __init__(self, event_shape: int | Sequence[int], *, period: float = 2 * math.pi):
        super().__init__()
        if not 0 < period < math.inf:
            raise ValueError(f"UniformAngles needs a finite period > 0, got {period}")
        self.event_shape, self.period = as_sizes(event_shape), period
        # Tells where and in which precision to draw; follows .to() and .double().
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats: (batch, *event) -> (batch,)."""
        # Zeros, but NaN where z is no number.
        return sum_event(z - z) - math.log(self.period) * math.prod(self.event_shape)

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); a temperature other than 1 is refused."""
        if temperature != 1.0:
            raise ValueError(f"temperature={temperature} has no meaning for UniformAngles: use 1.0")
        return self.period * (draw_uniform((n, *self.event_shape), self.anchor, generator) - 0.5)

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}, period={self.period:g}"


class Base(Built, nn.Module):
    """Any torch.distributions object as a base: it moves with the flow and keeps to its support.

    A batch of scalar distributions, Normal(zeros(2), ones(2)), is read as one event of shape (2,).
    Outside the support the log-density is -inf rather than an error or a wrong number.

    Arguments of the distribution that are `nn.Parameter`s are trained, moved and saved with the flow. Nothing
    keeps such a scale positive: `DiagonalNormal`, `MixtureNormal` and `StudentT` do.

    Raises:
        TypeError: no distribution; a parameter that the distribution turned into something else when it was
            made, as a mixture does with its logits: it could not be trained.
        ValueError: a discrete distribution, or one on a set without volume, such as a simplex.

    Example:
        >>> base = Base(torch.distributions.Uniform(torch.zeros(2), torch.ones(2)))
        >>> base.log_prob(torch.tensor([[0.5, 0.5], [0.5, 2.0]]))
        tensor([0., -inf])
    """

    centre: Tensor

    def __init__(self, distribution: Distribution):
        super().__init__()
        if not isinstance(distribution, Distribution):
            raise TypeError(
                f"a base must be a torch.distributions.Distribution, got {type(distribution).__name__}. "
                "For a standard normal in D dimensions write StandardNormal((D,))."
            )
        _check_has_density(distribution)
        if distribution.batch_shape:
            distribution = Independent(distribution, len(distribution.batch_shape))
        self.template = map_tensors(distribution, self._learn)
        self.event_shape = tuple(distribution.event_shape)
        with torch.no_grad():
            self.register_buffer("centre", _interior_point(self.distribution), persistent=False)

    @property
    def learned(self) -> list[nn.Parameter]:
        """The distribution's parameters that are trained."""
        return list(self.parameters(recurse=False))

    @property
    def distribution(self) -> Any:
        """The distribution itself, with its parameters as they are now."""
        if not self._parameters:
            return self.template
        return map_tensors(self.template, lambda tensor: tensor, self._put_in)

    def _learn(self, tensor: Tensor) -> Tensor | _Learned:
        """Keep a parameter, in whose place the template says which one it is; other tensors stay."""
        if not tensor.requires_grad:
            return tensor
        leaf = _leaf(tensor)
        if leaf is None:
            raise TypeError(
                "a base can train an argument of its distribution that is an nn.Parameter itself; here one "
                "was computed from tensors that require a gradient, when the distribution was made, and "
                "would stay as it is. Use DiagonalNormal, MixtureNormal or StudentT, write a module of your "
                "own (event_shape, log_prob, sample), or detach() what needs no training"
            )
        known = [place for place, parameter in enumerate(self.learned) if parameter is leaf]
        place = known[0] if known else len(self.learned)
        if not known:
            self.register_parameter(f"learned{place}", leaf)
        return _Learned(place, tuple(tensor.shape))

    def _put_in(self, place: _Learned) -> Tensor:
        return self.learned[place.index].expand(place.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, -inf outside the support: (batch, *event) -> (batch,)."""
        distribution = self.distribution
        inside = distribution.support.check(z)
        # Outside, a harmless point is scored instead, so that no NaN reaches the gradient.
        each = inside.view(-1, *[1] * len(self.event_shape))
        harmless = torch.where(each, z, self._middle(distribution).to(z.dtype))
        return distribution.log_prob(harmless).masked_fill(~inside, -math.inf)

    def _middle(self, distribution: Any) -> Tensor:
        """A point inside the support, the mean if there is one."""
        if not self._parameters:
            return self.centre
        try:
            mean = distribution.mean.detach()
        except NotImplementedError:
            return self.centre
        return torch.where(torch.isfinite(mean), mean, self.centre)

    def sample(self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """n draws of shape (n, *event); a temperature other than 1 scales them about the mean."""
        distribution = self.distribution
        if temperature != 1.0 and not _is_real(distribution.support):
            raise ValueError(
                f"temperature={temperature} has no meaning for a base with bounded support "
                f"({distribution}): use temperature=1.0, or a normal base"
            )
        draws = _draw(distribution, n, generator)
        if temperature == 1.0:
            return draws
        middle = self._middle(distribution)
        return middle + temperature * (draws - middle)

    def built_with(self) -> tuple[tuple, dict[str, Any]]:
        """For `Flow.save`: the distribution, with its parameters in their places."""
        return (map_tensors(self.template, lambda tensor: tensor, lambda p: self.learned[p.index]),), {}

    def gradients_miss(self) -> str:
        """What draws carry no gradient to although it is trained; "" if nothing."""
        trained = any(parameter.requires_grad for parameter in self.learned)
        return "" if not trained or self.distribution.has_rsample else "the parameters of the distribution"

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Base:
        """Called by .to(), .double(), .cuda(): moves the distribution's tensors as well."""
        self.template = map_tensors(self.template, function)
        return super()._apply(function, recurse)

    def extra_repr(self) -> str:
        learned = f", {len(self.learned)} of its arguments learned" if self.learned else ""
        return f"{self.distribution}{learned}"


@dataclass(frozen=True)
class _Learned:
    """The place of a parameter in a distribution: which one, and the shape it is expanded to."""

    index: int
    shape: tuple[int, ...]


def _leaf(tensor: Tensor) -> nn.Parameter | None:
    """The parameter that `tensor` is, or is an expansion of, as distributions make it; else None."""
    if isinstance(tensor, nn.Parameter):
        return tensor
    node = tensor.grad_fn
    while node is not None and type(node).__name__ == "ExpandBackward0":
        node = node.next_functions[0][0]
    leaf = getattr(node, "variable", None)  # only the node at a leaf has one
    return leaf if isinstance(leaf, nn.Parameter) else None


# Sets of which some coordinates follow from the others: a density in all of them does not exist.
_FLAT = (
    constraints.simplex, constraints.corr_cholesky, constraints.lower_cholesky,
    constraints.positive_definite, constraints.positive_semidefinite, constraints.symmetric,
)  # fmt: skip


def _check_has_density(distribution: Distribution) -> None:
    """Raise ValueError unless a change of variables makes sense of the distribution."""
    try:
        support = distribution.support
    except NotImplementedError:
        return
    name = type(distribution).__name__
    if getattr(support, "is_discrete", False):
        raise ValueError(
            f"{name} is discrete: it has probabilities, not a density, and a change of variables would add a "
            "log-determinant to them that means nothing. Dequantize the data (`flowlib.data.dequantize`, "
            "`flowlib.image.uniform_dequantize`), or pass categories as context, and take a continuous base"
        )
    if support in _FLAT:
        raise ValueError(
            f"{name} lives on a set without volume ({support}): its density is not one over all of its "
            "coordinates, so a flow's log-determinant does not apply. Take a base on free coordinates"
        )


def map_tensors(
    thing: Any,
    function: Callable[[Tensor], Any],
    put_in: Callable[[_Learned], Tensor] | None = None,
    seen: dict[int, Any] | None = None,
) -> Any:
    """A copy of a distribution with `function` applied to every tensor inside it, `put_in` to every place."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return seen[id(thing)]
    if isinstance(thing, Tensor):
        return function(thing)
    if isinstance(thing, _Learned):
        return thing if put_in is None else put_in(thing)
    if isinstance(thing, (list, tuple)) and not isinstance(thing, torch.Size):
        return type(thing)([map_tensors(item, function, put_in, seen) for item in thing])
    if isinstance(thing, (Distribution, torch.distributions.Transform)):
        # A transform and its inverse may point at each other: each is copied once.
        twin = seen[id(thing)] = copy.copy(thing)
        if isinstance(twin, Distribution):
            twin._validate_args = False  # it would look at values, and make a GPU wait
        for name, value in vars(thing).items():
            kinds = (Tensor, _Learned, list, tuple, Distribution, torch.distributions.Transform)
            if isinstance(value, kinds):
                twin.__dict__[name] = map_tensors(value, function, put_in, seen)
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


def _log_normal(z: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """log N(z; mean, deviation^2), elementwise."""
    standard = (z - mean) * (-log_deviation).exp()
    return -0.5 * standard.square() - log_deviation - 0.5 * math.log(2 * math.pi)


def _is_real(support: constraints.Constraint) -> bool:
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
