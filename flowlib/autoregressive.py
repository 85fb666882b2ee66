"""Masked autoregressive layers, and how to run them against the grain at the price of one pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flowlib.bijection import Bijection, check_context, check_event, sum_event
from flowlib.nets import Activation, MaskedMLP
from flowlib.scalar import Transformer

# Hidden units (of the widest layer) that are solved one after another between two large products.
BLOCK_UNITS = 32


class MaskedAutoregressive(Bijection):
    """x_i = transformer(z_i; params_i), where a masked net computes params_i from x_<i.

    `inverse` (x -> z, hence log_prob) is one pass: all x are known, so all parameters are. `forward`
    (z -> x, sampling) must find x_1 before x_2: D steps. This is MAF; `Inverse` of it is IAF, which
    samples in one pass and scores in D steps.

    The D steps need not be D passes. A unit of the net is computed once, at the step when the last
    of its inputs becomes known, so that all steps together do the arithmetic of one pass.

    Args:
        dim: number of variables D.
        hidden: widths of the masked net's hidden layers.
        transformer: the scalar function, such as `AffineTransformer()` or `SplineTransformer()`.
        order: order[i] is the variable at place i; (0, ..., D-1) if None.
        context: number of context features.
        activation: of the net; it must act elementwise.

    Shapes: (batch, D) in and out, context (batch, context), log-determinants (batch,).

    Raises:
        ValueError: an input or context of the wrong shape, an order that is no permutation.

    Source: Papamakarios et al., 2017, "Masked Autoregressive Flow for Density Estimation",
    equations 3-5; Kingma et al., 2016 (IAF).
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        transformer: Transformer,
        order: Sequence[int] | None = None,
        context: int = 0,
        activation: Activation = nn.ReLU,
    ):
        super().__init__()
        self.event_shape = (dim,)
        self.net = MaskedMLP(dim, transformer.count, hidden, order, context, activation)
        self.transformer = transformer
        self._plan()

    def inverse(self, x, context=None):
        check_event(x, self.event_shape, self)
        z, log_derivative = self.transformer.inverse(x, self.net(x, context))
        return z, sum_event(log_derivative)

    def forward(self, z, context=None):
        check_event(z, self.event_shape, self)
        check_context(context, self.net.context, len(z), self)
        first, *inner, last = self.net.layers
        # Inputs and outputs in the order of the steps. Variables lie along dim 0 from here on.
        z = z.t().index_select(0, self.order)
        from_x, from_context = first.weight.split([self.net.dim, self.net.context], 1)
        weights = [from_x.index_select(1, self.order)]
        weights += [layer.weight for layer in inner] + [last.weight.index_select(0, self.rows)]
        biases = [layer.bias[:, None] for layer in (first, *inner)] + [
            last.bias.index_select(0, self.rows)[:, None]
        ]
        if context is not None:
            biases[0] = biases[0] + from_context @ context.t()
        x, log_derivative = self._solve(z, weights, biases)
        return x.index_select(0, self.back).t(), log_derivative.sum(0)

    def _solve(self, z: Tensor, weights: list[Tensor], biases: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Forward substitution in blocks, as for a triangular system of equations.

        Steps are grouped into blocks. A block starts with one matrix product for each layer, which
        brings in everything that the steps before it have found. Inside the block each step
        finishes a few units and adds them to the sums that wait for them.

        No tensor is written in place, so autograd can follow.
        """
        rows = [w.split(sizes) for w, sizes in zip(weights, self.block_rows, strict=True)]
        sums = [
            b.expand(-1, z.shape[1]).split(sizes) for b, sizes in zip(biases, self.block_rows, strict=True)
        ]
        z_steps = z.split(self.step_dims)
        found = [[] for _ in weights]  # x, h_1, ..., h_L: the finished units of each layer
        log_derivatives = []
        for block, steps in enumerate(self.blocks):
            waiting, columns = [], []
            for layer in range(len(weights)):
                earlier, here, _ = rows[layer][block].split(self.columns[layer][block], 1)
                total = sums[layer][block]
                if found[layer]:
                    total = torch.addmm(total, earlier, torch.cat(found[layer]))
                waiting.append(total)
                columns.append(here.split([self.step_inputs[layer][step] for step in steps], 1))
            for place, step in enumerate(steps):
                for layer, height in enumerate(self.step_rows[step]):
                    if height == 0:
                        continue
                    ready, waiting[layer] = waiting[layer].split([height, len(waiting[layer]) - height])
                    if layer < len(weights) - 1:
                        ready = self.net.activation(ready)
                    else:
                        params = ready.view(1, self.transformer.count, -1, z.shape[1])
                        x, log_derivative = self.transformer(z_steps[step][None], params)
                        ready = x[0]
                        log_derivatives.append(log_derivative[0])
                    after = (layer + 1) % len(weights)
                    found[after].append(ready)
                    weight = columns[after][place]
                    below = weight[len(weight) - len(waiting[after]) :]
                    waiting[after] = torch.addmm(waiting[after], below, ready)
        return torch.cat(found[0]), torch.cat(log_derivatives)

    def _plan(self) -> None:
        """Which units each step finishes, and how steps form blocks. Plain integers, known beforehand."""
        net, count = self.net, self.transformer.count
        degrees = [degree.tolist() for degree in net.degrees]
        # Variables between two consecutive degrees see the same hidden units: they share a step.
        starts = sorted({0}.union(*degrees))
        self.step_dims = [end - start for start, end in pairwise([*starts, self.net.dim])]
        units = [[degree.count(start) for start in starts] for degree in degrees]
        self.step_inputs = [self.step_dims, *units]
        step_outputs = [count * size for size in self.step_dims]
        self.step_rows = list(zip(*units, step_outputs, strict=True))

        self.blocks: list[list[int]] = []
        size = 0
        for step, heights in enumerate(self.step_rows):
            widest = max(heights[:-1])
            if not self.blocks or size + widest > BLOCK_UNITS:
                self.blocks.append([])
                size = 0
            self.blocks[-1].append(step)
            size += widest
        self.block_rows = [
            [sum(heights[step] for step in steps) for steps in self.blocks]
            for heights in [*units, step_outputs]
        ]
        block_inputs = [
            [sum(sizes[step] for step in steps) for steps in self.blocks] for sizes in self.step_inputs
        ]
        # For each layer and block, the columns of the weight: finished earlier, finished here, later.
        self.columns = [
            [[sum(sizes[:block]), sizes[block], sum(sizes[block + 1 :])] for block in range(len(sizes))]
            for sizes in block_inputs
        ]

        order = torch.tensor(net.order)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", torch.argsort(order), persistent=False)
        by_step = (torch.arange(count)[:, None] * self.net.dim + order).split(self.step_dims, 1)
        self.register_buffer("rows", torch.cat([part.flatten() for part in by_step]), persistent=False)
