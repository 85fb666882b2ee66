"""Masked autoregressive layers, and how to run them against the grain at the price of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from flowlib import fused
from flowlib.bijection import Bijection, sum_event
from flowlib.linear import full_precision
from flowlib.nets import Activation, MaskedMLP, Widths
from flowlib.recording import Recordings, plain, replayable
from flowlib.scalar import Transformer

__all__ = ["MaskedAutoregressive"]

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
        transformer: the scalar function, such as `AffineTransformer()` or `SplineTransformer()`.
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
        from_x, from_context = weights[0].split([self.net.dim, self.net.context], 1)
        weights[0] = from_x.index_select(1, self.order)
        weights[-1] = weights[-1].index_select(0, self.rows)
        biases[-1] = biases[-1].index_select(0, self.rows)
        if context is not None:
            with full_precision(context):
                biases[0] = biases[0] + from_context @ context.t()
        # Small operations are a sixth faster if nothing is kept for a gradient of either mode.
        with torch.inference_mode(not torch.is_grad_enabled() and plain()), full_precision(z):
            x, log_derivative = self._solve(z.t().index_select(0, self.order), weights, biases)
        return x.index_select(0, self.back).t(), sum_event(log_derivative.t())

    def _solve(self, z: Tensor, weights: list[Tensor], biases: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Forward substitution in blocks, as for a triangular system of equations.

        Steps are grouped into blocks. Inside a block each step finishes a few units of each layer and
        adds them at once to those sums of the next layer that the block will need. The sums of later
        blocks get all that a block has found in one large product for each layer.
        """
        batch, count = z.shape[1], self.transformer.count
        # Straight to `forward`: hundreds of steps would pay for the hooks that a call looks for.
        activation, transformer = self.net.activation.forward, self.transformer.forward
        # In place is faster, but would destroy what autograd needs.
        add_product = Tensor.addmm if torch.is_grad_enabled() else Tensor.addmm_
        # A product with no variable known yet: a copy of the biases, to which every weight is tied.
        sums = [torch.addmm(bias, weight[:, :0], z[:0]) for bias, weight in zip(biases, weights, strict=True)]
        columns = [weight.split(sizes, 1) for weight, sizes in zip(weights, self.block_inputs, strict=True)]
        z_steps = z[None].split(self.step_inputs[0], 1)
        x_steps, log_derivatives = [], []
        for block, steps in enumerate(self.blocks):
            found: list[list[Tensor]] = [[] for _ in weights]  # x, h_1, ..., h_L: the block's finished units
            waiting, here, later = [], [], []
            for layer, sizes in enumerate(self.step_inputs):
                _, own, below = columns[layer][block].split(self.rows_around[layer][block])
                here.append(own.split(sizes[steps.start : steps.stop], 1))
                later.append(below)
                own, sums[layer] = sums[layer].split([len(own), len(below)])
                waiting.append(own)
            for place, step in enumerate(steps):
                for layer, (start, stop) in enumerate(self.step_rows[step]):
                    if start == stop:
                        continue
                    ready = waiting[layer][start:stop]
                    if layer < len(weights) - 1:
                        ready = activation(ready)
                    else:
                        params = ready.view(1, count, self.step_inputs[0][step], batch)
                        x, log_derivative = transformer(z_steps[step], params)
                        log_derivatives.append(log_derivative)
                        ready = x[0]
                    after = (layer + 1) % len(weights)
                    found[after].append(ready)
                    waiting[after] = add_product(waiting[after], here[after][place], ready)
            x_steps += found[0]
            for layer, parts in enumerate(found):
                if parts:
                    sums[layer] = add_product(sums[layer], later[layer], torch.cat(parts))
        return torch.cat(x_steps), torch.cat(log_derivatives, 1)[0]

    def _plan(self) -> None:
        """Which units each step finishes, and how steps form blocks: plain integers, known beforehand."""
        net, count = self.net, self.transformer.count
        degrees = [degree.tolist() for degree in net.degrees]
        # Variables between two consecutive degrees see the same hidden units: they share a step.
        starts = sorted({0}.union(*degrees))
        variables = [end - start for start, end in pairwise([*starts, net.dim])]
        units = [[degree.count(start) for start in starts] for degree in degrees]
        # For each layer and step, how many inputs the step adds and how many outputs it finishes.
        self.step_inputs = [variables, *units]
        step_outputs = [*units, [count * size for size in variables]]

        self.blocks: list[range] = []
        room = 0
        for step, widest in enumerate(map(max, zip(*units, strict=True))):
            if not self.blocks or widest > room:
                self.blocks.append(range(step, step))
                room = BLOCK_UNITS
            self.blocks[-1] = range(self.blocks[-1].start, step + 1)
            room -= widest
        self.block_inputs = [self._by_block(sizes) for sizes in self.step_inputs]
        # For each layer and block, the rows of the weight: finished before, own, later.
        self.rows_around = []
        for heights in map(self._by_block, step_outputs):
            ends = accumulate(heights)
            self.rows_around.append(
                [[end - own, own, sum(heights) - end] for own, end in zip(heights, ends, strict=True)]
            )
        # For each step and layer, the rows that it finishes, counted from the start of its block.
        self.step_rows = []
        for steps in self.blocks:
            edges = [list(accumulate(sizes[steps.start : steps.stop], initial=0)) for sizes in step_outputs]
            self.step_rows += list(zip(*(pairwise(places) for places in edges), strict=True))

        order = torch.tensor(net.order)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", torch.argsort(order), persistent=False)
        # For each layer, how many units have a degree below 0, 1, ..., D; they are sorted by it.
        below = [torch.searchsorted(degree, torch.arange(net.dim + 1)) for degree in net.degrees]
        self.register_buffer("starts", torch.stack(below).int(), persistent=False)
        by_step = (torch.arange(count)[:, None] * net.dim + order).split(variables, 1)
        self.register_buffer("rows", torch.cat([part.flatten() for part in by_step]), persistent=False)

    def _by_block(self, sizes: list[int]) -> list[int]:
        """Sums of one number for each step over the steps of each block."""
        return [sum(sizes[steps.start : steps.stop]) for steps in self.blocks]
