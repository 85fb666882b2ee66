"""Derivatives of derivatives: Hessians and score penalties through inverses that have no formula."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from flowlib import PlanarFlow
from flowlib.bijection import find_root
from tests.derivatives import made, points

# What torch says of its own rules of forward mode and of vmap.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script. is deprecated", "ignore:An output with one or more elements was resized"
)

SOLVED = ["PlanarFlow", "Sylvester", "MixtureCDF", "Logistics, backwards", "IAF", "RadialFlow"]


@pytest.mark.parametrize("name", SOLVED)
def test_second_derivatives_by_x_and_by_parameters(name):
    flow = made(name)
    key, weight = next(iter(flow.named_parameters()))

    def log_prob(x, value):
        return torch.func.functional_call(flow, {key: value}, (x,))

    given = (points(flow, 2).requires_grad_(), weight.detach().clone().requires_grad_())
    assert gradcheck(log_prob, given, check_forward_ad=True)
    assert gradgradcheck(log_prob, given)


def test_the_third_derivative_of_a_root_is_right():
    def cube_root(x):  # of z^3 + z
        return find_root(lambda z: (z**3 + z, 3 * z * z + 1), x, -10 + 0 * x, 10 + 0 * x)

    def slope(x):
        return torch.autograd.grad(cube_root(x).sum(), x, create_graph=True)[0]

    x = torch.tensor([-1.0, 0.0, 0.3, 2.0], dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(slope, (x,))


@pytest.mark.parametrize("name", SOLVED)
def test_vmap_maps_over_a_numerical_inverse(name):
    flow = made(name)
    x = points(flow, 5)
    alone = torch.func.vmap(lambda row: flow.log_prob(row[None])[0])
    torch.testing.assert_close(alone(x), flow.log_prob(x))
    hessians = [torch.autograd.functional.hessian(lambda row: flow.log_prob(row[None])[0], row) for row in x]
    mapped = torch.func.vmap(torch.func.hessian(lambda row: flow.log_prob(row[None])[0]))(x)
    torch.testing.assert_close(mapped, torch.stack(hessians))


def test_what_vmap_maps_over_is_checked_as_a_whole():
    flow = PlanarFlow(2, 1)
    x = torch.zeros(3, 2)
    x[1, 0] = float("nan")
    with pytest.raises(ValueError, match="1 of 3 elements did not converge"):
        torch.func.vmap(lambda row: flow.log_prob(row[None])[0])(x)
