"""Every model in every precision, run and differentiated in every way: right, or refused in words."""

from __future__ import annotations

import pytest
import torch

from tests.derivatives import (
    ADAPTIVE,
    MODELS,
    RIGHT,
    Cell,
    every_cell,
    made,
    must_be_right,
    pairwise,
    points,
    verdict,
)

SELECTED = pairwise()
HALVES = (torch.bfloat16, torch.float16)


def hold(cell: Cell) -> None:
    found = verdict(cell)
    assert found == RIGHT or (found.startswith("refused") and not must_be_right(cell)), found


@pytest.mark.parametrize("cell", SELECTED, ids="-".join)
def test_pairwise(cell):
    hold(cell)


@pytest.mark.soak
@pytest.mark.parametrize("cell", [cell for cell in every_cell() if cell not in SELECTED], ids="-".join)
def test_all_others(cell):
    hold(cell)


def test_the_selection_has_every_pair():
    for place, other in ((0, 2), (1, 3), (0, 3)):
        assert {(c[place], c[other]) for c in SELECTED} == {(c[place], c[other]) for c in every_cell()}


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_under_autocast_every_model_trains_scores_and_samples(name, dtype):
    flow = made(name, torch.float32)
    x = points(flow, 200).float()
    expected = flow.log_prob(x)
    with torch.autocast("cpu", dtype):
        log_prob, sample = flow.log_prob(x), flow.sample(5)
        _, log_det = flow.bijection.inverse(x)
        (-log_prob.mean()).backward()
    assert log_prob.dtype == log_det.dtype == torch.float32
    assert torch.isfinite(sample).all()
    assert all(torch.isfinite(p.grad).all() for p in flow.parameters() if p.grad is not None)
    assert abs(log_prob.mean() - expected.mean()) < 0.02 * abs(expected.mean())


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in ADAPTIVE]
)  # whose tolerance needs more digits
def test_a_model_of_half_precision_scores_and_samples(name, dtype):
    flow = made(name, torch.float32)
    x = points(flow, 200)
    expected = flow.log_prob(x.float()).mean()
    flow.to(dtype)
    log_prob = flow.log_prob(x.to(dtype))
    assert log_prob.dtype == torch.float32
    assert abs(log_prob.mean() - expected) < 0.1 * abs(expected)
    assert torch.isfinite(flow.sample(5)).all()
