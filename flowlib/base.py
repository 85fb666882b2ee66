"""Base distributions: where a flow starts from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, constraints

from flowlib.bijection import as_sizes, draw_normal, sum_event

__all__ = ["Base", "StandardNormal", "map_tensors"]


class StandardNormal(nn.Module):
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


class Base(nn.Module):
    """Any torch.distributions object as a base: it moves with the flow and keeps to its support.

    A batch of scalar distributions, Normal(zeros(2), ones(2)), is read as one event of shape (2,).
    Outside the support the log-density is -inf rather than an error or a wrong number.

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

    def _apply(self, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Base:
        """Called by .to(), .double(), .cuda(): moves the distribution's tensors as well."""
        self.distribution = map_tensors(self.distribution, function)
        return super()._apply(function, recurse)

    def extra_repr(self) -> str:
        return str(self.distribution)


def map_tensors(thing: Any, function: Callable[[Tensor], Tensor], seen: dict[int, Any] | None = None) -> Any:
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
