"""The kernel for autoregressive solves: it computes what the steps compute, and knows where it may."""

import copy
import math

import pytest
import torch
from torch import nn

from flowlib import fused
from flowlib.autoregressive import RECORDINGS, MaskedAutoregressive
from flowlib.bijection import Inverse
from flowlib.fused import Cut
from flowlib.models import IAF, MAF
from flowlib.nets import MaskedMLP
from flowlib.scalar import AffineToZ, AffineTransformer, MixtureCDFTransformer
from flowlib.splines import SplineTransformer

# Sums in another order: rounding differs, and D steps hand it on.
TOLERANCE = {torch.float32: {"rtol": 2e-5, "atol": 2e-5}, torch.float64: {"rtol": 1e-10, "atol": 1e-10}}
TRANSFORMERS = {"affine": AffineTransformer, "to z": AffineToZ}


def on_cuda(function):
    skip = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    return pytest.mark.cuda(skip(function))


def trained(module: nn.Module, size: float = 0.5) -> nn.Module:
    """Weights of the size that training gives them: each unit's input sums to about `size`."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        fan_in = parameter.shape[1] if parameter.dim() > 1 else 4
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(size * noise * math.sqrt(2 / fan_in))
    return module


def by_steps(bijection: nn.Module, z, context=None):
    """The same where gradients are allowed but not asked for: never the kernel, never a recording."""
    bijection = copy.deepcopy(bijection).requires_grad_(False)
    with torch.enable_grad():
        return bijection(z, context)


def orders(dim: int):
    shuffled = torch.randperm(dim, generator=torch.Generator().manual_seed(1)).tolist()
    return {"given": None, "reversed": list(range(dim))[::-1], "shuffled": shuffled}


# --- where it may: seen without a GPU ----------------------------------------------------------


class OwnScale(AffineTransformer):
    def log_scale(self, raw):
        return raw


class OwnScaleToZ(AffineToZ):
    log_scale = OwnScale.log_scale


class Leaky(nn.ReLU):
    def forward(self, x):
        return x.clamp(min=-0.1)


def test_it_takes_over_what_it_computes_and_nothing_else():
    z = torch.zeros(3, 4)

    def takes(transformer=None, hidden=(8, 8), dtype=None, **options) -> bool:
        layer = MaskedAutoregressive(4, hidden, transformer or AffineTransformer(), **options)
        return fused.applies(layer.to(dtype or z.dtype), z.to(dtype or z.dtype))

    assert takes() and takes(AffineToZ())
    assert takes(hidden=(3,)) and takes(hidden=(8,) * 5, context=2, order=[3, 1, 0, 2])
    assert takes(dtype=torch.float64) and not takes(dtype=torch.bfloat16)
    for transformer in (OwnScale(), OwnScaleToZ(), SplineTransformer(bins=4)):
        assert not takes(transformer)
    assert not takes(MixtureCDFTransformer())
    assert not takes(activation=nn.Tanh) and not takes(activation=Leaky)
    assert not takes(hidden=(4 * fused.MOST_UNITS + 1,))
    layer = MaskedAutoregressive(4, (8,), AffineTransformer())
    assert not fused.applies(layer.double(), z)

    class OwnNet(MaskedMLP):
        pass

    layer.net.__class__ = OwnNet
    assert not fused.applies(layer, z.double())


@pytest.mark.filterwarnings("ignore:a masked net with a hidden layer")
@pytest.mark.parametrize(("dim", "hidden", "context"), [(1, (3,), 0), (4, (2, 7), 0), (6, (16, 16), 2)])
def test_units_are_counted_as_their_degrees_say(dim, hidden, context):
    layer = MaskedAutoregressive(dim, hidden, AffineTransformer(), context=context)
    for starts, degrees in zip(layer.starts.tolist(), layer.net.degrees, strict=True):
        assert starts == [(degrees < step).sum().item() for step in range(dim + 1)]


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("order", ["given", "reversed", "shuffled"])
def test_weights_lie_side_by_side(order, context):
    """The net, read off the packed weights: a line of knowns for each level, D parameters at the end."""
    dim, hidden = 5, (7, 6)
    layer = trained(
        MaskedAutoregressive(dim, hidden, AffineTransformer(), order=orders(dim)[order], context=context)
    )
    rows = torch.randn(3, context) if context else None
    x = torch.randn(3, dim)
    with torch.no_grad():
        packed = fused.side_by_side(layer, 12, 16)
        line = torch.cat([torch.ones(3, 1), *([rows] if context else []), x[:, layer.order]], 1)
        for weight, width in zip(packed, (*hidden, 2 * dim), strict=True):
            line = torch.cat([line, torch.zeros(3, 16 - line.shape[1])], 1) @ weight.t()
            assert not line[:, width:].any()
            line = torch.cat([torch.ones(3, 1), line[:, :width].relu() if width < 10 else line[:, :width]], 1)
        params = line[:, 1:].view(3, dim, 2).transpose(1, 2)[:, :, layer.back]
        torch.testing.assert_close(params, layer.net(x, rows))


# --- on a GPU ----------------------------------------------------------------------------------


@on_cuda
def test_a_kernel_can_be_built_here():
    """Else all that follows would test the steps against themselves."""
    assert fused.obstacle() == ""


@on_cuda
@pytest.mark.filterwarnings("ignore:a masked net with a hidden layer")  # narrow ones are what is tried here
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("transformer", TRANSFORMERS)
@pytest.mark.parametrize("hidden", [(1,), (16,), (3, 2), (32, 24, 40)])
@pytest.mark.parametrize("dim", [1, 2, 3, 5, 64])
def test_the_kernel_agrees_with_the_steps(dim, hidden, transformer, dtype):
    for context in (0, 3):
        for order in orders(dim).values():
            layer = MaskedAutoregressive(
                dim, hidden, TRANSFORMERS[transformer](), order=order, context=context
            )
            layer = trained(layer).to("cuda", dtype)
            for batch in (1, 33):
                z = torch.randn(batch, dim, device="cuda", dtype=dtype)
                rows = torch.randn(batch, context, device="cuda", dtype=dtype) if context else None
                with torch.no_grad():
                    found = fused.solve(layer, z, rows)
                for one, other in zip(found, by_steps(layer, z, rows), strict=True):
                    torch.testing.assert_close(one, other, **TOLERANCE[dtype])


@on_cuda
@pytest.mark.parametrize(
    "cut", [Cut(1, 1, 2, 128), Cut(2, 1, 4, 256), Cut(4, 2, 4, 256), Cut(4, 4, 2, 512), Cut(8, 4, 4, 512)]
)
def test_however_the_work_is_cut(cut):
    layer = trained(
        MaskedAutoregressive(64, (256, 256), AffineTransformer(), order=orders(64)["shuffled"])
    ).cuda()
    z = torch.randn(130, 64, device="cuda")
    with torch.no_grad():
        found = fused.solve(layer, z, None, cut)
    for one, other in zip(found, by_steps(layer, z), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@on_cuda
def test_rows_are_independent_also_where_one_overflows():
    layer = trained(MaskedAutoregressive(5, (32, 32), AffineTransformer())).cuda()
    z = torch.randn(40, 5, device="cuda")
    with torch.no_grad():
        whole, _ = fused.solve(layer, z, None)
        z[3, 0], z[7, 1] = math.inf, math.nan
        spoilt, _ = fused.solve(layer, z, None)
    others = [row for row in range(40) if row not in (3, 7)]
    assert torch.equal(whole[others], spoilt[others])
    assert not spoilt[3].isfinite().all() and spoilt[7].isnan().any()


@on_cuda
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("model", [MAF, IAF])
def test_models_use_it(model, context, monkeypatch):
    """Sampled or scored again and again; weights that change in place are seen."""
    launches, solve = [], fused.solve
    monkeypatch.setattr(fused, "solve", lambda *inputs: launches.append(1) or solve(*inputs))
    flow = trained(model(6, 3, (32, 32), context=context)).cuda()
    bijection = flow.bijection if model is MAF else Inverse(flow.bijection)
    rows = torch.randn(9, context, device="cuda") if context else None
    before = len(RECORDINGS)
    for _ in range(5):
        z = torch.randn(9, 6, device="cuda")
        with torch.no_grad():
            found = bijection(z, rows)
            for one, other in zip(found, by_steps(bijection, z, rows), strict=True):
                torch.testing.assert_close(one, other, **TOLERANCE[torch.float32])
            for parameter in flow.parameters():
                parameter.mul_(0.9)
    # Of each layer's five calls the first runs, the second runs and is recorded, the others are replays.
    assert len(launches) == 3 * 3 and len(RECORDINGS) == before + 3


@on_cuda
def test_numbers_that_lie_elsewhere_in_memory():
    """A transposed z, a part of a larger one, none at all."""
    layer = trained(MaskedAutoregressive(6, (32, 32), AffineTransformer())).cuda()
    wide = torch.randn(6, 20, device="cuda")
    with torch.no_grad():
        for z in (wide.t(), wide.t()[::2], torch.randn(20, 12, device="cuda")[:, 3:9], wide.t()[:0]):
            for one, other in zip(fused.solve(layer, z, None), by_steps(layer, z), strict=True):
                torch.testing.assert_close(one, other, **TOLERANCE[torch.float32])


@on_cuda
def test_without_a_compiler_the_steps_run(monkeypatch):
    monkeypatch.setattr(fused, "obstacle", lambda: "no C compiler")
    monkeypatch.setattr(fused, "solve", None)
    flow = trained(MAF(6, 2, (32, 32))).cuda()
    z = torch.randn(9, 6, device="cuda")
    with torch.no_grad():
        found = flow.bijection(z)[0]
    torch.testing.assert_close(found, by_steps(flow.bijection, z)[0], **TOLERANCE[torch.float32])
