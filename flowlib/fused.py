"""One GPU kernel for sampling from a masked autoregressive layer.

`MaskedAutoregressive.forward` is D steps that wait for each other. In PyTorch a step is a dozen small
operations, each launched on its own, each passing its result through the GPU's memory to the next. Here
the whole layer is one launch. A group of threads takes a few rows of the batch and walks through all
steps: rows never wait for each other.

The kernel is written in Triton, Python that is compiled for the GPU. Triton comes with PyTorch's wheels
for CUDA; where it is missing or cannot compile, `obstacle` says so and the steps run one by one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from flowlib.nets import MaskedMLP
from flowlib.scalar import AffineToZ, AffineTransformer

try:
    import triton
    import triton.language as tl

    jit = triton.jit
except ImportError:  # PyTorch's wheels for CPUs come without
    triton = None

    def jit(function=None, **_):
        return function or jit


__all__ = ["Cut", "applies", "fast_cut", "obstacle", "side_by_side", "solve"]


# Hidden units of a layer per variable. Above it PyTorch's large products are the better way: here a unit
# is a product by itself.
MOST_UNITS = 64

Layer = Any  # a `MaskedAutoregressive`; its file comes after this one and uses it


# --- on the GPU ------------------------------------------------------------------------------
#
# `known` holds what is known of each row of the batch, a line for each level of the net:
#
#     level 0             1, context, x in the order of the steps
#     level 1, 2, ...     1, the units of this hidden layer, sorted by degree
#
# A unit or a parameter is then one scalar product: of its weights, the bias first, with the line of the
# level below, as far as that is known. What is not known yet, and what lies beyond a line's end, is 0.


@jit
def products(
    line, weights, first, count, width, ROWS: tl.constexpr, UNITS: tl.constexpr, CHUNK: tl.constexpr
):
    """Rows first, first + 1, ... of `weights` times the first `count` places of each line.

    line: pointers (ROWS, 1, 1) -> (ROWS, UNITS).
    """
    unit, place = tl.arange(0, UNITS)[None, :, None], tl.arange(0, CHUNK)[None, None, :]
    line, weights = line + place, weights + (first + unit) * width + place
    sums = tl.zeros([ROWS, UNITS, CHUNK], weights.dtype.element_ty)
    for start in range(0, count, CHUNK):
        sums += tl.load(line + start) * tl.load(weights + start)
    return tl.sum(sums, 2)


# A number that is new would else be compiled anew for being 1 or a multiple of 16.
@jit(do_not_specialize=["batch", "dim", "given", "hidden", "height"])
def solve_kernel(
    z, x, log_det, known, weights, starts, order, lowest, rate, batch, dim, given, hidden, height, width,
    TO_Z: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """z, x: (batch, dim). log_det: (batch,). known: (groups * ROWS, hidden + 1, width).
    weights: (hidden + 1, height, width). starts: (hidden, dim + 1), the units of degrees below 0 ... dim.
    order: (dim,). lowest, rate: the affine transformer's. given: places of level 0 known beforehand.
    TO_Z: z = x * exp(s) + t instead of x = z * exp(s) + t.
    """
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    inside = row < batch
    line = known + row * ((hidden + 1) * width)
    unit, pair = tl.arange(0, UNITS)[None, :], tl.arange(0, 2)[None, :]
    low, steepness = tl.load(lowest), tl.load(rate)
    total = tl.zeros([ROWS], z.dtype.element_ty)
    for step in range(dim):
        variable = tl.load(order + step)
        value = tl.load(z + row * dim + variable, inside, 0)
        count = given + step
        # Each hidden layer in turn: the units whose last input has just become known.
        for level in range(hidden):
            first = tl.load(starts + level * (dim + 1) + step)
            last = tl.load(starts + level * (dim + 1) + step + 1)
            below, rows = line[:, None, None] + level * width, weights + level * height * width
            place = line[:, None] + (level + 1) * width + 1 + unit
            for start in range(first, last, UNITS):
                sums = products(below, rows, start, count, width, ROWS, UNITS, CHUNK)
                tl.store(place + start, tl.where(sums < 0, 0, sums), start + unit < last)
            tl.debug_barrier()  # what one thread stores the others load
            count = 1 + last
        below, rows = line[:, None, None] + hidden * width, weights + hidden * height * width
        params = products(below, rows, 2 * step, count, width, ROWS, 2, CHUNK)
        shift, raw = tl.sum(tl.where(pair == 0, params, 0), 1), tl.sum(tl.where(pair == 1, params, 0), 1)
        log_scale = low - 2 * low / (1 + tl.exp(-raw * steepness))
        if TO_Z:
            log_scale = -log_scale
            value = (value - shift) * tl.exp(log_scale)
        else:
            value = value * tl.exp(log_scale) + shift
        total += log_scale
        tl.store(line + given + step, value)
        tl.store(x + row * dim + variable, value, inside)
        tl.debug_barrier()
    tl.store(log_det + row, total, inside)


# --- on the CPU ------------------------------------------------------------------------------


@functools.cache
def obstacle() -> str:
    """Why no kernel can run here, "" if one can: Triton wants a GPU, a C compiler and Python's headers."""
    if triton is None:
        return "Triton is not installed"
    try:
        counting_kernel[(1,)](torch.zeros(1, device="cuda"))
    except Exception as error:  # of the compiler, the linker, the driver, ...
        return f"{type(error).__name__}: {error}"
    return ""


@jit
def counting_kernel(number):
    tl.store(number, tl.load(number) + 1)


def applies(layer: Layer, z: Tensor) -> bool:
    """Whether `solve` computes what this `MaskedAutoregressive` makes of z, and fast.

    It knows the affine transformer and ReLU, no subclass with a formula of its own.
    """
    net, transformer = layer.net, layer.transformer
    return (
        type(transformer) in (AffineTransformer, AffineToZ)
        and type(net) is MaskedMLP
        and type(net.activation) is nn.ReLU
        and max(map(len, net.degrees)) <= MOST_UNITS * net.dim
        and z.dtype in (torch.float32, torch.float64)
        and all(tensor.dtype == z.dtype for tensor in (*net.parameters(), *transformer.buffers()))
    )


@dataclass(frozen=True)
class Cut:
    """How the work is cut: rows of the batch and warps (32 threads) of a group; units and inputs that are
    multiplied at once. Powers of two."""

    rows: int
    warps: int
    units: int
    chunk: int


def fast_cut(batch: int, dim: int, widest: int) -> Cut:
    """The quickest of six to eight cuts tried on an H200: D=64 with 256 units, D=784 with 1,024."""
    units = min(max(triton.next_power_of_2(widest // dim), 2), 8)
    if widest <= 512:
        return Cut(1 if batch <= 2048 else 2, 1, units, 128)
    return Cut(1, 4, units, 1024) if batch <= 256 else Cut(4, 2, units, 256)


def solve(layer: Layer, z: Tensor, context: Tensor | None, cut: Cut | None = None) -> tuple[Tensor, Tensor]:
    """`MaskedAutoregressive.forward` where `applies` and no gradient is asked for.

    Shapes: z (batch, D) -> x (batch, D), log |det dx/dz| (batch,).
    """
    net, transformer = layer.net, layer.transformer
    batch, dim = z.shape
    hidden = [len(degree) for degree in net.degrees]
    cut = cut or fast_cut(batch, dim, max(hidden))
    given = 1 + net.context
    height = max(max(hidden) + cut.units, 2 * dim)  # the last product of a layer reads beyond its end
    width = triton.cdiv(max(given + dim, 1 + max(hidden)), cut.chunk) * cut.chunk
    weights = side_by_side(layer, height, width)
    groups = triton.cdiv(batch, cut.rows)
    known = z.new_zeros(groups * cut.rows, 1 + len(hidden), width)
    known[:, :, 0].fill_(1)
    if context is not None:
        known[:batch, 0, 1:given] = context
    z = z.contiguous()
    x, log_det = torch.empty_like(z), z.new_empty(batch)
    with torch.cuda.device_of(z):
        solve_kernel[(groups,)](
            z, x, log_det, known, weights, layer.starts, layer.order, transformer.lowest, transformer.rate,
            batch, dim, given, len(hidden), height, width,
            TO_Z=type(transformer) is AffineToZ, ROWS=cut.rows, UNITS=cut.units, CHUNK=cut.chunk,
            num_warps=cut.warps, num_stages=1,
        )  # fmt: skip
    return x, log_det


def side_by_side(layer: Layer, height: int, width: int) -> Tensor:
    """The net's masked weights, (layers, height, width), each row with its bias first.

    Inputs are in the order of the kernel's lines, outputs in that of the steps, a variable's two together.
    """
    net = layer.net
    packed = net.layers[0].weight.new_zeros(len(net.layers), height, width)
    for level, linear in enumerate(net.layers):
        weight, bias = linear.mask * linear.weight, linear.bias
        if level == 0:
            from_x, from_context = weight.split([net.dim, net.context], 1)
            weight = torch.cat([from_context, from_x.index_select(1, layer.order)], 1)
        if level == len(net.layers) - 1:
            weight, bias = (
                part.unflatten(0, (2, net.dim)).index_select(1, layer.order).transpose(0, 1).flatten(0, 1)
                for part in (weight, bias)
            )
        rows, columns = weight.shape
        packed[level, :rows, 0] = bias
        packed[level, :rows, 1 : 1 + columns] = weight
    return packed
