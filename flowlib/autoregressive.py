"""Masked autoregressive layers, and how to run them against the grain at the price of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from flowlib import fused
from flowlib.bijection import Bijection, fix, sum_event, wide
from flowlib.linear import full_precision
from flowlib.nets import Activation, MaskedMLP, Widths, cos_and_sin
from flowlib.recording import Recordings, plain, replayable
from flowlib.scalar import Transformer

__all__ = ["Block", "MaskedAutoregressive", "Schedule", "StepPlan"]

# Hidden units (of the widest layer) that are solved one after another between two large products.
BLOCK_UNITS = 32
RECORDINGS = Recordings()


class MaskedAutoregressive(Bijection):
    """x_i = transformer(z_i; params_i), where a masked net computes params_i from x_<i.

    `inverse` (x -> z, hence log_prob) is one pass: all x are known, so all parameters are. `forward`
    (z -> x, sampling) must find x_1 before x_2: D steps. This is MAF; `Inverse` of it is IAF, which
    samples in one pass and scores in D steps.

    The D steps need not be D passes. A unit of the net is computed once, at the step when the last
    of its inputs becomes known, so that all steps together do the arithmetic of one pass.

    Under autocast the net keeps the precision of the values: the two directions add up the same numbers in
    different orders, and rounded to bfloat16 they would no longer undo each other.

    Args:
        dim: number of variables D.
        hidden: widths of the masked net's hidden layers, each at least D - 1 (see `MaskedMLP`).
        transformer: the scalar function, such as `AffineTransformer()` or `SplineTransformer()`. Of angles
            (`CircularSplineTransformer`) the net sees cosines and sines.
        order: order[i] is the variable at place i; (0, ..., D-1) if None.
        context: number of context features.
        activation: of the net; it must act on each number alone, which is tried when the layer is built.
        zero_start: whether the layer starts as the identity.

    Shapes: (batch, D) in and out, context (batch, context), log-determinants (batch,).

    Raises:
        ValueError: an input or context of the wrong shape, an order that is no permutation, an activation
            that mixes numbers.

    Source: Papamakarios et al., 2017, "Masked Autoregressive Flow for Density Estimation",
    equations 3-5; Kingma et al., 2016 (IAF).

    Example:
        >>> layer = MaskedAutoregressive(3, (64, 64), AffineTransformer())
        >>> z, log_det = layer.inverse(torch.randn(5, 3))
        >>> z.shape, log_det.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """

    order: Tensor
    back: Tensor
    starts: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(
        self,
        dim: int,
        hidden: Widths,
        transformer: Transformer,
        *,
        order: Sequence[int] | None = None,
        context: int = 0,
        activation: Activation = nn.ReLU,
        zero_start: bool = True,
    ):
        super().__init__()
        self.event_shape, self.context = (dim,), context
        self.net = MaskedMLP(
            dim,
            transformer.count,
            hidden,
            order=order,
            context=context,
            activation=activation,
            zero_start=zero_start,
            period=transformer.period,
        )
        self.transformer = transformer
        self._plan()

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        with full_precision(x):
            params = self.net(x, context)
        z, log_derivative = self.transformer.inverse(x, params)
        return z, sum_event(log_derivative)

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        if torch.is_grad_enabled() or not replayable(z):
            return self._generate(z, context)
        # On a GPU the many small operations of the steps would wait for each other's launch.
        weights = tuple(tensor.data_ptr() for tensor in (*self.parameters(), *self.buffers()))
        one_kernel = not fused.obstacle() and fused.applies(self, z)
        solve = partial(fused.solve, self) if one_kernel else self._generate
        x, log_det = RECORDINGS.run(self, weights, solve, z, context)
        return x, log_det

    def _generate(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        # Inputs and outputs in the order of the steps; variables lie along dim 0 from here on.
        layers = self.net.linears()
        weights = [layer.mask * layer.weight for layer in layers]
        biases = [layer.bias[:, None] for layer in layers]
        inputs = self.net.features * self.net.dim
        from_x, from_context = weights[0].split([inputs, self.net.context], 1)
        weights[0] = from_x.index_select(1, self.columns)
        weights[-1] = weights[-1].index_select(0, self.rows)
        biases[-1] = biases[-1].index_select(0, self.rows)
        if context is not None:
            with full_precision(context):
                biases[0] = biases[0] + from_context @ context.t()
        # Small operations are a sixth faster if nothing is kept for a gradient of either mode.
        with torch.inference_mode(not torch.is_grad_enabled() and plain()), full_precision(z):
            x, log_derivative = self._solve(z.t().index_select(0, self.order), weights, biases)
        return x.index_select(0, self.back).t(), wide(log_derivative).sum(0)

    def _solve(self, z: Tensor, weights: list[Tensor], biases: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Forward substitution in blocks, as for a triangular system of equations: see `Schedule`."""
        batch, count, last = z.shape[1], self.transformer.count, len(weights) - 1
        period = self.net.period
        # Straight to `forward`: hundreds of steps would pay for the hooks that a call looks for.
        activation, transformer = self.net.activation.forward, self.transformer.forward
        # In place is faster, but would destroy what autograd needs.
        add_product = Tensor.addmm if torch.is_grad_enabled() else Tensor.addmm_
        # What later blocks wait for. A product with no variable known yet: a copy of the biases, to
        # which every weight is tied.
        sums = [torch.addmm(bias, weight[:, :0], z[:0]) for bias, weight in zip(biases, weights, strict=True)]
        z_steps = iter(z[None].split([step.variables for step in self.schedule.steps], 1))
        x_steps: list[Tensor] = []
        log_derivatives: list[Tensor] = []
        for block in self.schedule.blocks:
            own, below = block.cut(weights)
            waiting, sums = block.take_rows(sums)
            # The block's finished units of each layer: x (or its cosines and sines), h_1, ..., h_L.
            found: list[list[Tensor]] = [[] for _ in weights]
            for place, step in enumerate(block.steps):
                for layer, (start, stop) in enumerate(step.rows):
                    if start == stop:
                        continue
                    ready = waiting[layer][start:stop]
                    if layer < last:
                        ready, after = activation(ready), layer + 1
                    else:
                        params = ready.view(1, count, step.variables, batch)
                        x, log_derivative = transformer(next(z_steps), params)
                        log_derivatives.append(log_derivative)
                        x_steps.append(x[0])
                        ready, after = x[0] if period is None else cos_and_sin(x[0], period, 0), 0
                    found[after].append(ready)
                    waiting[after] = add_product(waiting[after], own[after][place], ready)
            for layer, parts in enumerate(found):
                if parts:
                    sums[layer] = add_product(sums[layer], below[layer], torch.cat(parts))
        return torch.cat(x_steps), torch.cat(log_derivatives, 1)[0]

    def _plan(self) -> None:
        net, count = self.net, self.transformer.count
        self.schedule = Schedule.of(net, count)
        with torch.device("cpu"):
            order = torch.tensor(net.order)
            # For each layer, how many units have a degree below 0, 1, ..., D; they are sorted by it.
            below = [torch.searchsorted(degree, torch.arange(net.dim + 1)) for degree in net.degrees]
            sizes = [step.variables for step in self.schedule.steps]

            def by_steps(each: int) -> Tensor:
                """Places of `each` numbers for a variable in the order of the steps: those of a step
                together, one for each of its variables after the other."""
                parts = (torch.arange(each)[:, None] * net.dim + order).split(sizes, 1)
                return torch.cat([part.flatten() for part in parts])

            rows, columns = by_steps(count), by_steps(net.features)
            starts = torch.stack(below).int()
        fix(self, order=order, back=torch.argsort(order), starts=starts, rows=rows, columns=columns)


@dataclass(frozen=True)
class StepPlan:
    """What one step finishes.

    Attributes:
        variables: how many variables are found: those that see the same hidden units share a step.
        inputs: for each layer, how many of its inputs become known: what the net sees of these variables
            first, then hidden units.
        rows: for each layer, which of its outputs are finished, counted from the start of the block.
    """

    variables: int
    inputs: list[int]
    rows: list[tuple[int, int]]


@dataclass(frozen=True)
class Block:
    """A few steps in a row, and for each layer the rows and columns of its weight that they finish."""

    steps: list[StepPlan]
    rows: list[slice]
    columns: list[slice]

    def cut(self, weights: list[Tensor]) -> tuple[list[tuple[Tensor, ...]], list[Tensor]]:
        """For each layer, the block's own square as columns of its steps, and what lies below it."""
        own, below = [], []
        for layer, (weight, rows, columns) in enumerate(zip(weights, self.rows, self.columns, strict=True)):
            own.append(weight[rows, columns].split([step.inputs[layer] for step in self.steps], 1))
            below.append(weight[rows.stop :, columns])
        return own, below

    def take_rows(self, sums: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """For each layer, the sums that this block finishes, and those that it leaves for later blocks."""
        sizes = [rows.stop - rows.start for rows in self.rows]
        parts = [part.split([size, len(part) - size]) for part, size in zip(sums, sizes, strict=True)]
        return [own for own, _ in parts], [later for _, later in parts]


@dataclass(frozen=True)
class Schedule:
    r"""Which units of a masked net each step finishes, and how steps form blocks: known beforehand.

    Inputs and outputs of each layer are sorted by the step that finishes them. So a masked weight is
    zero above its diagonal, here one of a net in three blocks::

                      known after:  block 1   block 2   block 3
                                  +---------+---------+---------+
        finished in block 1       | \  own  |    0    |    0    |   own: column after column, as soon as a
                                  |   \     |         |         |        step has found the input. Small
                                  +---------+---------+---------+        products, each waits for the last.
        finished in block 2       |         | \  own  |    0    |
                                  |  below  |   \     |         |   below: when the block is done, in one
                                  +         +---------+---------+          large product, which brings all
        finished in block 3       |         |  below  | \  own  |          that it found to the sums of
                                  |         |         |   \     |          later blocks.
                                  +---------+---------+---------+

    A step takes the layers in turn. It finishes a few units of the first, which are inputs of the second,
    and so on; the last layer's are parameters, which make the x that is the first layer's next input.

    Example:
        >>> plan = Schedule.of(MaskedMLP(dim=3, count=2, hidden=(4,)), count=2)
        >>> [step.rows for step in plan.steps]  # the units of the hidden layer, then the parameters
        [[(0, 0), (0, 2)], [(0, 2), (2, 4)], [(2, 4), (4, 6)]]
    """

    blocks: list[Block]

    @property
    def steps(self) -> list[StepPlan]:
        return [step for block in self.blocks for step in block.steps]

    @classmethod
    def of(cls, net: MaskedMLP, count: int) -> Schedule:
        """The schedule of a net with `count` parameters for each variable."""
        degrees = [degree.tolist() for degree in net.degrees]
        # Variables between two consecutive degrees see the same hidden units: they share a step.
        starts = sorted({0}.union(*degrees))
        variables = [end - start for start, end in pairwise([*starts, net.dim])]
        units = [[degree.count(start) for start in starts] for degree in degrees]
        inputs = [[net.features * size for size in variables], *units]
        outputs = [*units, [count * size for size in variables]]
        # For each layer, where the inputs and the outputs of each step begin; at last, where all end.
        edges = [[list(accumulate(sizes, initial=0)) for sizes in layers] for layers in (inputs, outputs)]
        groups = _by_units([max(sizes) for sizes in zip(*units, strict=True)])
        return cls([_block(steps, variables, *edges) for steps in groups])


def _block(steps: range, variables: list[int], inputs: list[list[int]], outputs: list[list[int]]) -> Block:
    """A block of these steps, given how many variables each finds, and for each layer where the inputs and
    outputs of each step begin."""
    rows = [slice(edges[steps.start], edges[steps.stop]) for edges in outputs]
    columns = [slice(edges[steps.start], edges[steps.stop]) for edges in inputs]
    plans = []
    for step in steps:
        sizes = [edges[step + 1] - edges[step] for edges in inputs]
        places = zip(outputs, rows, strict=True)
        own = [(edges[step] - of.start, edges[step + 1] - of.start) for edges, of in places]
        plans.append(StepPlan(variables[step], sizes, own))
    return Block(plans, rows, columns)


def _by_units(widest: list[int]) -> list[range]:
    """Steps in groups of about BLOCK_UNITS units, given how many units of the widest layer each finishes."""
    groups: list[range] = []
    room = 0
    for step, units in enumerate(widest):
        if not groups or units > room:
            groups.append(range(step, step))
            room = BLOCK_UNITS
        groups[-1] = range(groups[-1].start, step + 1)
        room -= units
    return groups
