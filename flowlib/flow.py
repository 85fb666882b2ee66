"""A flow: a bijection and a base distribution."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from flowlib import moved
from flowlib.base import Base, StandardNormal
from flowlib.bijection import Bijection, Stop, check_context, check_event

__all__ = ["Flow"]


class Flow(nn.Module):
    """A distribution: draw z from the base, return x = bijection(z).

    log p(x) = log p_base(z) + log|det dz/dx| with z = bijection.inverse(x).

    Args:
        bijection: maps z to x; both of shape (batch, *event).
        base: `StandardNormal(event_shape)`, or any torch.distributions object.

    Source: Papamakarios et al., 2021, equations 3-6.

    Example:
        >>> flow = Flow(Exp(), StandardNormal(()))  # the log-normal distribution
        >>> flow.log_prob(torch.ones(1))
        tensor([-0.9189])
        >>> flow.sample(5).shape
        torch.Size([5])
    """

    base: StandardNormal | Base

    def __init__(self, bijection: Bijection, base: StandardNormal | Base | Distribution):
        super().__init__()
        if not isinstance(bijection, Bijection):
            raise TypeError(
                f"Flow needs a Bijection first, got {type(bijection).__name__}: Flow(bijection, base)"
            )
        self.bijection = bijection
        self.base = base if isinstance(base, nn.Module) else Base(base)
        self.event_shape, self.context = self.base.event_shape, bijection.context
        if bijection.event_shape not in (None, self.event_shape):
            raise ValueError(
                f"the bijection takes events of shape {bijection.event_shape}, "
                f"the base draws events of shape {self.event_shape}"
            )

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
        check_context(context, self.context, len(x), self)
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
        n = _whole(n)
        context = _rows(context, n)
        check_context(context, self.context, n, self)
        z = self._sample_base(n, temperature, generator)
        return self.bijection(z, context)[0]

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
        n = _whole(n)
        context = _rows(context, n)
        check_context(context, self.context, n, self)
        z = self._sample_base(n, temperature, generator)
        x, log_det = self.bijection(z, context)
        return x, self.base.log_prob(z) - log_det

    @torch.no_grad()
    def path(self, values: Tensor, context: Tensor | None = None, inverse: bool = False) -> list[Stop]:
        """Every stop on the way: from z to x, or from x to z with `inverse=True`.

        Returns:
            Stops of (name, value, log_det), the start included. `log_det` is the sum so far.
        """
        check_event(values, self.event_shape, self)
        check_context(context, self.context, len(values), self)
        stops = [Stop("x" if inverse else "z", values, values.new_zeros(len(values)))]
        layers = list(self.bijection.steps())
        for name, layer in reversed(layers) if inverse else layers:
            before = stops[-1]
            value, term = (layer.inverse if inverse else layer)(
                before.value, context if layer.context else None
            )
            stops.append(Stop(name, value, before.log_det + term))
        return stops

    def _sample_base(self, n: int, temperature: float, generator: torch.Generator | None) -> Tensor:
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


def _whole(n: int) -> int:
    """A number of samples as an int; whatever counts as one will do, such as a NumPy integer."""
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 0:
        raise ValueError(f"the number of samples must be a whole number >= 0, got {n!r}")
    return int(n)


def _rows(context: Tensor | None, n: int) -> Tensor | None:
    """One context row for each of n draws."""
    if context is None:
        return None
    if context.dim() == 1:
        context = context[None]
    return context.expand(n, -1) if len(context) == 1 else context


__getattr__ = moved.names(__name__)
