"""Flows whose weights and inputs are bfloat16: values lose digits, log-determinants are float32."""

from __future__ import annotations

import copy
import importlib
import inspect
import pkgutil

import pytest
import torch

import flowlib
from flowlib.bijection import Bijection
from flowlib.flow import Flow
from tests.laws.test_devices import MODELS, randomise

# A flow rounds at every layer: eight times the distance from 1 to the next number.
PRECISION = 8 * torch.finfo(torch.bfloat16).eps


def rounded(values: torch.Tensor) -> torch.Tensor:
    """The nearest numbers that bfloat16 has."""
    return values.bfloat16().to(values.dtype)


def results(flow: Flow, z, x, context):
    """Value and log-determinant of both directions, and log_prob."""
    with torch.no_grad():
        return *flow.bijection(z, context), *flow.bijection.inverse(x, context), flow.log_prob(x, context)


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_keeps_log_determinants_wide_and_values_close(name):
    torch.manual_seed(0)
    flow, size, *_ = MODELS[name]()
    half = randomise(flow).eval().bfloat16()
    flow = copy.deepcopy(half).float()
    z = rounded(0.6 * (2 * torch.rand(6, *flow.event_shape) - 1))
    context = rounded(torch.randn(6, size)) if size else None
    with torch.no_grad():
        x = rounded(flow.bijection(z, context)[0])
    expected = results(flow, z, x, context)
    found = results(half, *(part if part is None else part.bfloat16() for part in (z, x, context)))
    kinds = [part.dtype for part in found]
    assert kinds == [torch.bfloat16, torch.float32] * 2 + [torch.float32]
    if not all(map(torch.equal, expected, results(flow, z, x, context))):
        return  # it draws noise, anew for each call: nothing to compare with
    span = 1 + float(torch.cat([z.flatten(), x.flatten()]).abs().max())
    for one, other in zip(found, expected, strict=True):
        allowed = PRECISION * (span + float(other.abs().max()))
        assert float((one.float() - other).abs().max()) <= allowed


@pytest.mark.parametrize("name", MODELS)
def test_the_path_of_a_bfloat16_flow_adds_up_in_float32(name):
    torch.manual_seed(0)
    flow, size, *_ = MODELS[name]()
    half = randomise(flow).eval().bfloat16()
    z = (0.5 * torch.rand(3, *flow.event_shape)).bfloat16()
    stops = half.path(z, torch.randn(3, size).bfloat16() if size else None)
    assert {stop.log_det.dtype for stop in stops} == {torch.float32}


def test_no_layer_and_no_model_is_left_out():
    """Whoever adds one adds it to the list that these tests, and those of devices, go through."""
    tried = {type(part) for make in MODELS.values() for part in make()[0].modules()}
    public = {
        value
        for room in pkgutil.iter_modules(flowlib.__path__)
        if not room.ispkg
        for value in vars(importlib.import_module(f"flowlib.{room.name}")).values()
        if inspect.isclass(value) and issubclass(value, Bijection | Flow) and value is not Bijection
    }
    assert not {kind.__name__ for kind in public - tried if not kind.__name__.startswith("_")}
