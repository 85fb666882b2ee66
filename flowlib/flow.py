"""A flow: a bijection and a base distribution."""

from __future__ import annotations

import math
import os
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from flowlib import moved
from flowlib.base import Base
from flowlib.bijection import Bijection, Stop, all_hold, check_context, check_event, no_log_det
from flowlib.inputs import check_kind, check_tensor, whole_number
from flowlib.recording import plain
from flowlib.saving import Built, read, register, write

__all__ = ["Flow", "register"]


class Flow(Built, nn.Module):
    """A distribution: draw z from the base, return x = bijection(z).

    log p(x) = log p_base(z) + log|det dz/dx| with z = bijection.inverse(x).

    Args:
        bijection: maps z to x; both of shape (batch, *event).
        base: `StandardNormal(event_shape)` or another of `flowlib.base`, any continuous torch.distributions
            object, or a module of your own with `event_shape`, `log_prob(z)` and
            `sample(n, temperature, generator)`. Parameters of the base are trained with the flow.

    Source: Papamakarios et al., 2021, equations 3-6.

    Example:
        >>> flow = Flow(Exp(), StandardNormal(()))  # the log-normal distribution
        >>> flow.log_prob(torch.ones(1))
        tensor([-0.9189])
        >>> flow.sample(5).shape
        torch.Size([5])
    """

    base: Any  # a module that scores and draws z

    def __init__(self, bijection: Bijection, base: nn.Module | Distribution):
        super().__init__()
        if not isinstance(bijection, Bijection):
            raise TypeError(
                f"Flow needs a Bijection first, got {type(bijection).__name__}: Flow(bijection, base)"
            )
        self.bijection = bijection
        self.base = base if isinstance(base, nn.Module) else Base(base)
        missing = [name for name in ("event_shape", "log_prob", "sample") if not hasattr(self.base, name)]
        if missing:
            raise TypeError(
                f"a base needs event_shape, log_prob(z) and sample(n, temperature, generator); "
                f"{type(base).__name__} has no {', '.join(missing)}"
            )
        self.event_shape, self.context = self.base.event_shape, bijection.context
        if bijection.event_shape not in (None, self.event_shape):
            raise ValueError(
                f"the bijection takes events of shape {bijection.event_shape}, "
                f"the base draws events of shape {self.event_shape}"
            )

    def check(self, x: Tensor, context: Tensor | None = None) -> None:
        """Raise unless x and context are what this flow takes; the message says what to write instead.

        Args:
            x: (batch, *event), on the device and of the dtype of the flow's weights, if it has any.
            context: (batch, context) likewise, for conditional flows only.

        Raises:
            TypeError: no tensors (an array, a list, a table, a loader), or tensors of another dtype.
            ValueError: another shape or device, a missing context or one that the flow does not take.
        """
        check_event(x, self.event_shape, self)
        check_context(context, self.context, len(x), self)
        self._check_kind(x=x, context=context)

    def _check_kind(self, **given: Tensor | None) -> None:
        if torch.compiler.is_compiling():
            return
        like = _weight(self.bijection)
        like = _weight(self.base) if like is None else like
        for name, values in given.items():
            if like is not None and values is not None:
                check_kind(values, like, name, self)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density of data in nats.

        Args:
            x: (batch, *event).
            context: (batch, context), for conditional flows only.

        Returns:
            (batch,). Minus infinity where x is infinite or has no counterpart in the base's support.

        Raises:
            ValueError: x outside the bijection's domain; else, and TypeError, as in `check`.
        """
        self.check(x, context)
        x, infinite = _finite_rows(x)
        z, log_det = self.bijection.inverse(x, context)
        log_prob = self.base.log_prob(z) + log_det
        return log_prob if infinite is None else log_prob.masked_fill(infinite, -math.inf)

    def to_latent(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The z that each x was made of, z = bijection.inverse(x): where the base sees the data.

        Gradients flow; shapes and errors as in `log_prob`, the result is (batch, *event).

        Example:
            >>> Flow(Exp(), StandardNormal(())).to_latent(torch.ones(3))
            tensor([0., 0., 0.])
        """
        self.check(x, context)
        return self.bijection.to_z(x, context)

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
        *,
        each: bool = False,
    ) -> Tensor:
        """n draws, without gradients.

        Args:
            n: how many.
            context: (n, context), one row for each draw, or one row for all draws.
            temperature: scale of the base noise; below 1 the samples keep to the dense regions.
            generator: source of randomness, for draws that repeat.
            each: n draws for each of the m rows of context, instead of one for each of n rows.

        Returns:
            (n, *event); with `each`, (m, n, *event).

        Raises:
            ValueError: n is no whole number, a negative temperature, a context of the wrong shape or
                device, or one that the flow does not take.
            TypeError: a context that is no tensor, or of another dtype than the flow.

        Example:
            >>> flow, context = RealNVP(2, context=3), torch.randn(4, 3)
            >>> flow.sample(4, context).shape, flow.sample(100, context, each=True).shape
            (torch.Size([4, 2]), torch.Size([4, 100, 2]))
        """
        z, rows, shape = self._start(n, context, temperature, generator, each)
        return self.bijection.to_x(z, rows).unflatten(0, shape)

    def sample_with_log_prob(
        self,
        n: int,
        context: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        *,
        each: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """n draws and their log-density under the flow, with gradients, in one pass.

        This is what variational inference needs: log p(x) = log p_base(z) - log|det dx/dz|.
        The log-density is the flow's own, at temperature 1, whatever temperature drew the samples.
        Arguments and errors as in `sample`.

        Raises:
            RuntimeError: with gradients, if the base has parameters that its draws carry none to.

        Returns:
            (n, *event) and (n,); with `each`, (m, n, *event) and (m, n).
        """
        missed = self.base.gradients_miss() if hasattr(self.base, "gradients_miss") else ""
        if missed and torch.is_grad_enabled():
            raise RuntimeError(
                f"draws from {type(self.base).__name__} carry no gradient to {missed}: a loss of draws would "
                "train them wrongly. Freeze them with requires_grad_(False), use torch.no_grad() where no "
                "gradient is needed, or train on data with `fit`"
            )
        z, rows, shape = self._start(n, context, temperature, generator, each)
        x, log_det = self.bijection(z, rows)
        return x.unflatten(0, shape), (self.base.log_prob(z) - log_det).unflatten(0, shape)

    def _start(
        self,
        n: int,
        context: Tensor | None,
        temperature: float,
        generator: torch.Generator | None,
        each: bool,
    ) -> tuple[Tensor, Tensor | None, tuple[int, ...]]:
        """Where sampling starts: z, a row of context for each z, and the shape of the draws' batch."""
        n = whole_number(n, "the number of samples")
        if not temperature >= 0:
            raise ValueError(f"the temperature must be >= 0, got {temperature}")
        shape: tuple[int, ...] = (n,)
        if each:
            if context is None:
                raise ValueError("each=True draws for each row of a context, got none: pass context=")
            check_tensor(context, "context")
            shape = (len(context), n)
            check_context(context, self.context, len(context), self)
            context = context.repeat_interleave(n, 0)
        else:
            context = _rows(context, n)
        check_context(context, self.context, math.prod(shape), self)
        self._check_kind(context=context)
        return self.base.sample(math.prod(shape), temperature, generator), context, shape

    @torch.no_grad()
    def path(self, values: Tensor, context: Tensor | None = None, inverse: bool = False) -> list[Stop]:
        """Every stop on the way: from z to x, or from x to z with `inverse=True`.

        Returns:
            Stops of (name, value, log_det), the start included. `log_det` is the sum so far.
        """
        self.check(values, context)
        stops = [Stop("x" if inverse else "z", values, no_log_det(values))]
        layers = list(self.bijection.steps())
        for name, layer in reversed(layers) if inverse else layers:
            before = stops[-1]
            value, term = (layer.inverse if inverse else layer)(
                before.value, context if layer.context else None
            )
            stops.append(Stop(name, value, before.log_det + term))
        return stops

    def save(self, path: str | os.PathLike) -> None:
        """Write the flow to one file: its layers and their arguments as JSON, its weights as safetensors.

        What is not kept: the training mode, generators of noise, the device.

        Raises:
            ValueError: a layer, net or base that is none of flowlib's (see `flowlib.saving.register`), or a
                flow that was changed after it was built, so that its arguments no longer describe it.

        Example:
            >>> flow = RealNVP(2, layers=2)
            >>> flow.save("flow.safetensors")
            >>> again, x = Flow.load("flow.safetensors"), torch.randn(5, 2)
            >>> again.log_prob(x).equal(flow.log_prob(x))
            True
        """
        write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a flow that `save` wrote, on the CPU and set to evaluation. No code of the file is run.

        The file names classes; they are looked up among flowlib's and those that you registered.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no such file, of another version, names a class that is not registered, or does
                not fit its own weights.
            TypeError: it holds another kind of flow than the class that it is loaded by.
        """
        flow = read(path)
        if not isinstance(flow, cls):
            raise TypeError(
                f"{os.fspath(path)} holds a {type(flow).__name__}, not a {cls.__name__}: write Flow.load"
            )
        return flow

    def built_with(self) -> tuple[tuple, dict[str, Any]]:
        """For `save`: the parts as they are now; of a named model, the arguments of its constructor."""
        plain = type(self).__init__ is Flow.__init__
        return ((self.bijection, self.base), {}) if plain else self.__dict__["_built_with"]

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


def _finite_rows(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """x with its infinite rows overwritten, and which they are, (batch,), or None if there are none.

    What stands in for them must lie in the bijection's domain and give finite gradients: the first row
    that is finite, or 0.5 if none is. A GPU is not asked whether there are any.
    """
    infinite = x.isinf()
    if len(x) == 0 or (x.device.type == "cpu" and plain() and all_hold(~infinite)):
        return x, None  # a twentieth of the time of a small flow is saved
    infinite = infinite.view(len(x), math.prod(x.shape[1:])).any(1)
    first = x.detach().index_select(0, infinite.int().argmin(0, keepdim=True))
    stand_in = first.nan_to_num(0.5, 0.5, 0.5)
    return torch.where(infinite.view(-1, *[1] * (x.dim() - 1)), stand_in, x), infinite


def _weight(module: nn.Module) -> Tensor | None:
    """A weight of the module, to say where it is and in which precision; None if it has none.

    A single number joins in any precision and does not count. Going down by hand takes less than half of the
    time that `parameters()` takes to its first.
    """
    for tensor in (*module._parameters.values(), *module._buffers.values()):
        if tensor is not None and tensor.dim() and tensor.is_floating_point():
            return tensor
    for part in module._modules.values():
        if part is not None and (found := _weight(part)) is not None:
            return found
    return None


def _rows(context: Tensor | None, n: int) -> Tensor | None:
    """One context row for each of n draws."""
    if context is None:
        return None
    check_tensor(context, "context")
    if context.dim() == 1:
        context = context[None]
    return context.expand(n, -1) if len(context) == 1 else context


__getattr__ = moved.names(__name__)
