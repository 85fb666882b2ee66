"""The contract of every layer, how layers compose, and how to invert without a formula.

A bijection f carries a latent z to data x. Its inverse carries x back to z. Both
directions return the log-determinant of their *own* Jacobian, so for any z

    x, log_det = f(z);   z_again, log_det_inverse = f.inverse(x)
    z_again == z         and         log_det + log_det_inverse == 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from numbers import Integral
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from flowlib.inputs import check_tensor, other_shape
from flowlib.recording import beneath, put_off
from flowlib.saving import Built

__all__ = [
    "Bijection", "Chain", "Inverse", "Stop", "all_hold", "as_sizes", "at_least_float32",
    "check_context", "check_event", "common_context", "draw_normal", "draw_signs", "draw_uniform",
    "find_root", "fix", "no_log_det", "require", "sum_event", "sum_terms", "wide",
]  # fmt: skip


class Stop(NamedTuple):
    """One stop on the way through a flow: the point and the log-determinant so far.

    Example:
        >>> Flow(Exp(), StandardNormal(())).path(torch.zeros(1))[-1]
        Stop(name='Exp', value=tensor([1.]), log_det=tensor([0.]))
    """

    name: str
    value: Tensor
    log_det: Tensor


class Bijection(Built, nn.Module):
    """An invertible, differentiable map f: z -> x with a tractable log-determinant.

    Subclasses write `forward` and `inverse`. Both take a tensor of shape
    (batch, *event) and, if the map is conditional, a context of shape (batch, context),
    and both return a tensor of the same shape and a log-determinant of shape (batch,).

    A layer says what it takes, so that those that do not fit are refused when a flow is built:

        event_shape: the shape of one z, or None where any will do;
        context: the number of context features, 0 for none.

    Source: Papamakarios et al., 2021, "Normalizing Flows for Probabilistic Modeling and
    Inference", section 2.1.

    Example:
        >>> class Double(Bijection):
        ...     def forward(self, z, context=None):
        ...         return 2 * z, torch.full((len(z),), 2.0).log()
        >>> Double()(torch.tensor([1.0, 2.0]))
        (tensor([2., 4.]), tensor([0.6931, 0.6931]))
    """

    event_shape: tuple[int, ...] | None = None
    context: int = 0

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Generate: x = f(z) and log|det dx/dz|."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet: x, log_det = f(z)")

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Normalise: z = f^-1(x) and log|det dz/dx|."""
        raise NotImplementedError(f"{type(self).__name__} has no inverse yet: z, log_det = f^-1(x)")

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """x = f(z) alone, which sampling needs; layers that save work so write it out."""
        return self(z, context)[0]

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """z = f^-1(x) alone."""
        return self.inverse(x, context)[0]

    def check(self, values: Tensor, context: Tensor | None = None) -> None:
        """Raise unless `values` is (batch, *event_shape) and `context` is what this layer takes."""
        if self.event_shape is not None:
            check_event(values, self.event_shape, self)
        if context is not None or self.context:
            check_context(context, self.context, len(values), self)

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one x, given that of its z: the same, but for layers such as `Squeeze`."""
        return shape

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one z, given that of its x."""
        return shape

    def steps(self) -> Iterator[tuple[str, Bijection]]:
        """The named layers, in the order that `forward` applies them; this one alone by default."""
        yield type(self).__name__, self


class Chain(Bijection):
    """Several bijections, one after another: x = f_K(... f_2(f_1(z))).

    The log-determinants add; the inverse runs the layers in reverse order.

    Args:
        *layers: bijections in generating order: the first acts on z, the last makes x.

    `chain[0]` is a layer, `chain[1:]` a chain.

    Raises:
        ValueError: two layers take events, or contexts, of different shapes.

    Example:
        >>> chain = Chain(Affine(shift=1.0), Exp())
        >>> x, log_det = chain(torch.zeros(2))
        >>> x
        tensor([2.7183, 2.7183])
    """

    def __init__(self, *layers: Bijection):
        super().__init__()
        for position, layer in enumerate(layers):
            if not isinstance(layer, Bijection):
                raise TypeError(
                    f"Chain takes bijections; argument {position} is a {type(layer).__name__}. "
                    "Write Chain(f, g), or Chain(*layers) for a list."
                )
        if not layers:
            raise ValueError("Chain needs at least one bijection, got none")
        self.layers = nn.ModuleList(layers)
        self.event_shape = _common_shape(layers)
        self.context = common_context(layers)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        check_context(context, self.context, len(z), self)
        terms = []
        for layer in self:
            z, term = layer(z, context if layer.context else None)
            terms.append(term)
        return z, reduce(operator.add, terms)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        check_context(context, self.context, len(x), self)
        terms = []
        for layer in reversed(list(self)):
            x, term = layer.inverse(x, context if layer.context else None)
            terms.append(term)
        return x, reduce(operator.add, terms)

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        check_context(context, self.context, len(z), self)
        for layer in self:
            z = layer.to_x(z, context if layer.context else None)
        return z

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        check_context(context, self.context, len(x), self)
        for layer in reversed(list(self)):
            x = layer.to_z(x, context if layer.context else None)
        return x

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self:
            shape = layer.shape_of_x(shape)
        return shape

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in reversed(list(self)):
            shape = layer.shape_of_z(shape)
        return shape

    def steps(self) -> Iterator[tuple[str, Bijection]]:
        for layer in self:
            yield from layer.steps()

    def __iter__(self) -> Iterator[Bijection]:
        return cast(Iterator[Bijection], iter(self.layers))  # a ModuleList knows them as modules only

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int | slice) -> Bijection:
        return Chain(*list(self)[index]) if isinstance(index, slice) else list(self)[index]


class Inverse(Bijection):
    """A bijection read backwards: its forward is the other's inverse.

    This is how one chooses which direction is the cheap one: a planar layer generates in
    closed form, `Inverse(Planar(2))` scores data in closed form.

    Example:
        >>> log = Inverse(Exp())
        >>> log(torch.ones(3))[0]
        tensor([0., 0., 0.])
    """

    def __init__(self, bijection: Bijection):
        super().__init__()
        if not isinstance(bijection, Bijection):
            raise TypeError(f"Inverse takes a bijection, got a {type(bijection).__name__}")
        self.bijection = bijection
        known = bijection.event_shape
        self.event_shape = None if known is None else bijection.shape_of_x(known)
        self.context = bijection.context

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(z, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection(x, context)

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.bijection.to_z(z, context)

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.bijection.to_x(x, context)

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.bijection.shape_of_z(shape)

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.bijection.shape_of_x(shape)

    def steps(self) -> Iterator[tuple[str, Bijection]]:
        for name, layer in reversed(list(self.bijection.steps())):
            yield f"Inverse({name})", Inverse(layer)


def _common_shape(layers: Sequence[Bijection]) -> tuple[int, ...] | None:
    """The shape of one z that suits all layers of a chain; None where any does."""
    shape = None
    for place, layer in enumerate(layers):
        if None not in (shape, layer.event_shape) and shape != layer.event_shape:
            raise ValueError(
                f"layer {place}, {type(layer).__name__}, takes events of shape {layer.event_shape}; "
                f"the layers before it make events of shape {shape}"
            )
        shape = layer.event_shape if shape is None else shape
        shape = None if shape is None else layer.shape_of_x(shape)
    for layer in reversed(layers):
        shape = None if shape is None else layer.shape_of_z(shape)
    return shape


def common_context(layers: Iterable[Bijection]) -> int:
    """The number of context features that these layers take; those that take none do not count."""
    sizes = {type(layer).__name__: layer.context for layer in layers if layer.context}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"all layers must take the same context; these take features: {said}")
    return next(iter(sizes.values()), 0)


def sum_event(values: Tensor) -> Tensor:
    """Sum over everything but the batch: (batch, *event) -> (batch,), never below float32."""
    if values.dim() < 2:
        return wide(values)
    return (values.flatten(1) if values.dim() > 2 else values).sum(1, dtype=at_least_float32(values))


def as_sizes(sizes: int | Sequence[int]) -> tuple[int, ...]:
    """A shape, or the widths of layers, as whole numbers; one number stands for a tuple of one."""
    given = [sizes] if isinstance(sizes, int | Integral) else sizes
    return tuple(operator.index(size) for size in given)


def fix(module: nn.Module, **tensors: Tensor) -> None:
    """Give a module buffers that follow from its sizes, such as a mask: neither learned nor saved.

    A model that was built on the device "meta", or given new memory by `to_empty`, has lost their numbers.
    So the tensors, to be made on the CPU, are kept, and copied in whenever weights are loaded.
    """
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.to(torch.get_default_device()), persistent=False)
    cast(Any, module).fixed = tensors
    module.register_load_state_dict_post_hook(_restore)


def _restore(module: nn.Module, incompatible: object) -> None:
    for name, tensor in cast(Any, module).fixed.items():
        cast(Tensor, getattr(module, name)).copy_(tensor)


def at_least_float32(values: Tensor) -> torch.dtype:
    """The dtype of values, or float32 for those below it: logarithms are never taken or added there."""
    return torch.float32 if values.dtype in (torch.bfloat16, torch.float16) else values.dtype


def wide(values: Tensor) -> Tensor:
    """The same numbers, in float32 at least."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def sum_terms(terms: Tensor) -> Tensor:
    """The sum of all numbers of a tensor, never below float32."""
    return terms.sum(dtype=at_least_float32(terms))


def no_log_det(values: Tensor) -> Tensor:
    """The log-determinant of a map that keeps volume: zeros (batch,), never below float32."""
    return values.new_zeros(len(values), dtype=at_least_float32(values))


def draw_normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise in the dtype and on the device of `like`.

    It is drawn where the generator lives and then moved: a seed gives a GPU what it gives a CPU.
    """
    device = like.device if generator is None else generator.device
    return torch.randn(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)


def draw_uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Uniform noise in [0, 1), otherwise as `draw_normal`."""
    device = like.device if generator is None else generator.device
    return torch.rand(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)


def draw_signs(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """-1 and 1 with equal chances, otherwise as `draw_normal`: Rademacher noise."""
    device = like.device if generator is None else generator.device
    signs = torch.empty(shape, dtype=like.dtype, device=device)
    return signs.bernoulli_(0.5, generator=generator).mul_(2).sub_(1).to(like.device)


def check_event(values: Tensor, shape: tuple[int, ...], owner: object) -> None:
    """Raise unless `values` is a floating-point tensor of shape (batch, *shape)."""
    check_tensor(values, "x")
    if values.dim() != len(shape) + 1 or values.shape[1:] != shape:
        wanted = "(batch" + "".join(f", {size}" for size in shape) + ")"
        raise ValueError(
            f"{type(owner).__name__} expected an input of shape {wanted}, got {tuple(values.shape)}"
            + other_shape(tuple(values.shape), shape)
        )
    if not values.is_floating_point():
        raise TypeError(
            f"{type(owner).__name__} expected floating-point input, got {values.dtype}: "
            "convert it with .float() or .double()"
        )


def check_context(context: Tensor | None, size: int, batch: int, owner: object) -> None:
    """Raise unless `context` has shape (batch, size), or is None when size is 0."""
    name = type(owner).__name__
    if context is not None:
        check_tensor(context, "context")
    if size == 0 and context is not None:
        raise ValueError(
            f"{name} was built without context (context=0), got one of shape {tuple(context.shape)}. "
            "A layer of your own that takes one says so: self.context = the number of its features"
        )
    if size > 0 and context is None:
        raise ValueError(f"{name} needs a context of shape ({batch}, {size}), got none: pass context=")
    if context is not None and context.shape != (batch, size):
        raise ValueError(f"{name} expected a context of shape ({batch}, {size}), got {tuple(context.shape)}")


def all_hold(condition: Tensor) -> bool:
    """Whether every element holds: the one place where flowlib looks at values, and so waits for a GPU.

    Under `torch.func.vmap`, whether it holds in all that is mapped over: a bound that a loop needs, not a
    branch that differs between them.
    """
    return bool(beneath(condition).all())


def require(condition: Tensor, message: Callable[[], str]) -> None:
    """Raise ValueError with `message()` unless every element of `condition` holds.

    It waits for a GPU once; inside a recording it is put off (see `flowlib.recording`).
    """
    if not put_off(condition, message) and not all_hold(condition):
        raise ValueError(message())


def find_root(
    function: Callable[[Tensor], tuple[Tensor, Tensor]],
    target: Tensor,
    lower: Tensor,
    upper: Tensor,
    noise: float = 0.0,
) -> Tensor:
    """Solve function(z) = target for z, elementwise, to the precision of the dtype.

    Newton's method, kept inside a bracket that only shrinks: a step that would leave the
    bracket, or that shrinks it too slowly, is replaced by bisection ("rtsafe", Press et al.,
    Numerical Recipes, 9.4). The gradient is that of the implicit function theorem,
    dz/dtarget = 1/f'(z) and dz/dtheta = -(df/dtheta)/f'(z): two Newton steps, taken with the graph,
    carry it. As each step doubles the number of right terms in the root's Taylor series, derivatives
    up to the third are right, in forward mode too.

    Args:
        function: increasing in each element; returns (value, derivative), shaped as target.
        target: the values to reach, any shape.
        lower, upper: function(lower) <= target <= function(upper), shaped as target.
        noise: how wrong by rounding a value may be, in units of eps * (1 + |target|). The search then ends at
            a smaller residual, with a last Newton step; else these jitter, and dozens of halvings follow.

    Raises:
        ValueError: an element did not converge: a value is not finite, or the bracket missed the root.
    """
    with torch.no_grad():
        low, high = lower.detach().clone(), upper.detach().clone()
        goal = target.detach()
        epsilon = torch.finfo(goal.dtype).eps
        z = 0.5 * (low + high)
        last_step, unsure = high - low, noise * epsilon * (1 + goal.abs())
        # A double bracket of width 1e300 takes about 1,100 halvings; brackets met here are
        # narrower than 1e6, and rtsafe at least halves every second step.
        for turn in range(2 * 75):
            value, slope = function(z)
            residual = value - goal
            if noise:
                residual = torch.where(residual.abs() < unsure, 0.0, residual)
            below = residual < 0
            low, high = torch.where(below, z, low), torch.where(below, high, z)
            newton = z - residual / slope
            inside = (newton >= low) & (newton <= high)
            fast = (newton - z).abs() * 2 <= last_step
            following = torch.where(inside & fast, newton, 0.5 * (low + high))
            last_step = (following - z).abs()
            z = following
            # To ask costs a GPU about a third of a round, so there every second round asks.
            asks = z.device.type == "cpu" or turn % 2
            if asks and all_hold(last_step <= epsilon * (z.abs() + epsilon)):
                break
    value, slope = function(z)
    with torch.no_grad():
        small = 16 * epsilon * (1 + z.abs())
        # A residual far above rounding means that the bracket did not hold the root.
        met = (value - goal).abs() <= slope * small + epsilon**0.5 * (1 + goal.abs())
        if noise:
            z = z - ((value - goal) / slope).detach()  # no derivatives, of forward mode either
        converged = ((last_step <= small) | (high - low <= small)) & met & torch.isfinite(z)
    require(
        converged,
        lambda: (
            f"numerical inverse: {int(beneath(~converged).sum())} of {beneath(converged).numel()} elements "
            "did not converge; check that the inputs are finite and inside the range of the map"
        ),
    )
    # The value stays the root found; only the derivatives of the Newton steps are added, because the
    # steps themselves would divide rounding noise by a slope that may be tiny.
    z = _newton_step(z, value, slope.detach(), target)  # from a constant, a constant slope does as well
    return _newton_step(z, *function(z), target)


def _newton_step(z: Tensor, value: Tensor, slope: Tensor, target: Tensor) -> Tensor:
    """z, with the derivatives of z - (value - target) / slope at a residual of 0."""
    residual = (value - value.detach()) - (target - target.detach())
    return z - residual / slope.clamp_min(torch.finfo(z.dtype).tiny)
