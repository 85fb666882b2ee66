"""The contract, composition and the numerical root finder."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlib.bijection import Bijection, Chain, Inverse, check_context, check_event, find_root, sum_event
from flowlib.scalar import Affine, Exp, LeakyReLU


def cubic(z):
    """An increasing function with a flat spot, and its slope."""
    return z**3 + 1e-3 * z, 3 * z**2 + 1e-3


def test_chain_adds_log_dets_and_reverses_the_inverse():
    chain = Chain(Affine(1.0, 2.0), Exp(), Affine(0.0, -3.0))
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    x, log_det = chain.double()(z)
    torch.testing.assert_close(x, -3 * torch.exp(2 * z + 1))
    torch.testing.assert_close(log_det, math.log(2) + (2 * z + 1) + math.log(3))
    back, log_det_back = chain.inverse(x)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(log_det_back, -log_det)


def test_chain_gives_its_layers():
    chain = Chain(Affine(1.0, 2.0), Chain(Exp(), LeakyReLU()))
    assert len(chain) == 2
    assert isinstance(chain[0], Affine)
    assert [name for name, _ in chain.steps()] == ["Affine", "Exp", "LeakyReLU"]


def test_inverse_swaps_the_directions_and_its_steps():
    chain = Chain(Affine(1.0, 2.0), Exp())
    z = torch.linspace(-1, 1, 5)
    x, log_det = chain(z)
    back, log_det_back = Inverse(chain)(x)
    torch.testing.assert_close(back, z)
    torch.testing.assert_close(log_det_back, -log_det)
    torch.testing.assert_close(Inverse(chain).inverse(z)[0], x)
    assert [name for name, _ in Inverse(chain).steps()] == ["Inverse(Exp)", "Inverse(Affine)"]


def test_unwritten_directions_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="Bijection has no inverse yet"):
        Bijection().inverse(torch.zeros(1))


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ((), ValueError, "at least one"),
        ((torch.nn.ReLU(),), TypeError, "argument 0 is a ReLU"),
        (([Exp()],), TypeError, r"Chain\(\*layers\)"),
    ],
)
def test_chain_refuses_what_is_no_bijection(layers, error, message):
    with pytest.raises(error, match=message):
        Chain(*layers)


def test_inverse_refuses_what_is_no_bijection():
    with pytest.raises(TypeError, match="takes a bijection, got a type"):
        Inverse(Exp)


def test_shape_messages_state_expected_and_got():
    with pytest.raises(ValueError, match=r"expected an input of shape \(batch, 3\), got \(4, 2\)"):
        check_event(torch.zeros(4, 2), (3,), Exp())
    with pytest.raises(TypeError, match=r"expected floating-point input, got torch\.int64"):
        check_event(torch.zeros(4, 2, dtype=torch.int64), (2,), Exp())
    with pytest.raises(ValueError, match="needs a context of shape"):
        check_context(None, 2, 4, Exp())
    with pytest.raises(ValueError, match="built without context"):
        check_context(torch.zeros(4, 2), 0, 4, Exp())
    with pytest.raises(ValueError, match=r"expected a context of shape \(4, 2\), got \(4, 3\)"):
        check_context(torch.zeros(4, 3), 2, 4, Exp())


def test_sum_event_keeps_the_batch():
    assert sum_event(torch.ones(5)).shape == (5,)
    torch.testing.assert_close(sum_event(torch.ones(5, 2, 3)), torch.full((5,), 6.0))


def test_sum_event_never_goes_below_float32():
    """As under autocast, where layers hand over bfloat16."""
    for shape in ((5,), (5, 300)):
        assert sum_event(torch.ones(shape, dtype=torch.bfloat16)).dtype == torch.float32
    assert sum_event(torch.ones(5, dtype=torch.float64)).dtype == torch.float64


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.sampled_from([torch.float32, torch.float64])
)
def test_find_root_reaches_the_precision_of_the_dtype(points, dtype):
    z = torch.tensor(points, dtype=dtype)
    target = cubic(z)[0]
    wide = torch.full_like(z, 2e3)
    found = find_root(cubic, target, -wide, wide)
    error = (cubic(found)[0] - target).abs()
    assert bool((error <= 64 * torch.finfo(dtype).eps * (1 + target.abs())).all())


def test_find_root_survives_a_bracket_that_is_a_point_and_a_root_at_its_end():
    z = torch.tensor([0.0, 2.0], dtype=torch.float64)
    target = cubic(z)[0]
    torch.testing.assert_close(find_root(cubic, target, z, z), z)
    torch.testing.assert_close(find_root(cubic, target, z, z + 3), z)


def test_find_root_has_the_gradient_of_the_implicit_function_theorem():
    slope = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([-3.0, 0.2, 5.0], dtype=torch.float64, requires_grad=True)

    def solve(slope, target):
        wide = torch.full_like(target, 50.0)
        return find_root(
            lambda z: (slope * z + torch.tanh(z), slope + 1 / torch.cosh(z) ** 2), target, -wide, wide
        )

    assert torch.autograd.gradcheck(solve, (slope, target))


def test_find_root_raises_rather_than_return_a_wrong_number():
    bad = torch.tensor([1.0, math.nan])
    with pytest.raises(ValueError, match="1 of 2 elements did not converge"):
        find_root(cubic, bad, -torch.ones(2) * 10, torch.ones(2) * 10)


def test_find_root_raises_when_the_bracket_misses_the_root():
    with pytest.raises(ValueError, match="1 of 1 elements did not converge"):
        find_root(cubic, torch.tensor([1000.0]), -torch.ones(1), torch.ones(1))
