"""The laws catch what they should, name it, and let right work pass, written as modules or functions."""

import math

import numpy as np
import pytest
import torch

from flowlib import checks
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain, Inverse
from flowlib.flow import Flow
from flowlib.scalar import Affine, Exp

LOG3 = math.log(3.0)
Z = torch.linspace(-2, 2, 12)
PLANE = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
MATRIX = torch.tensor([[2.0, 0.5, -0.3], [0.4, 1.5, 0.2], [-0.6, 0.1, 3.0]], dtype=torch.float64)


def broken(call, *phrases):
    with pytest.raises(checks.LawBroken) as error:
        call()
    for phrase in phrases:
        assert phrase in str(error.value), str(error.value)


def scalar(log_det):
    """x = 3z + 1 with the given log-determinant."""
    return lambda z: (3 * z + 1, log_det(z))


def linear(log_det):
    """x = A z with the given log-determinant."""
    return lambda z: (z @ MATRIX.to(z.dtype).T, log_det(z, torch.linalg.slogdet(MATRIX)[1].to(z.dtype)))


def test_right_functions_pass_in_both_precisions():
    for dtype in (torch.float32, torch.float64):
        z = Z.to(dtype)
        checks.check_bijection(
            lambda z: (3 * z + 1, torch.full_like(z, LOG3)),
            lambda x: ((x - 1) / 3, torch.full_like(x, -LOG3)),
            z,
        )


def test_functions_that_leave_autograd_are_judged_by_differences():
    def through_numpy(z):
        values = z.detach().numpy()
        return torch.from_numpy(np.sinh(values)), torch.from_numpy(np.log(np.cosh(values)))

    checks.check_log_det(through_numpy, Z)
    broken(
        lambda: checks.check_log_det(lambda z: (through_numpy(z)[0], -through_numpy(z)[1]), Z),
        "the sign is flipped",
    )


def test_a_function_that_insists_on_float32_is_accepted():
    weight = torch.nn.Linear(1, 1)

    def forward(z):
        return weight(z), weight.weight.abs().log().sum().expand(len(z))

    checks.check_log_det(forward, Z[:, None])


@pytest.mark.parametrize(
    ("map_", "z", "phrase"),
    [
        (scalar(lambda z: torch.full_like(z, -LOG3)), Z, "the sign is flipped"),
        (scalar(torch.zeros_like), Z, "left out"),
        (scalar(lambda z: torch.full_like(z, 3.0)), Z, "the logarithm is missing"),
        (scalar(lambda z: torch.full_like(z, LOG3 / math.log(2))), Z, "base 2"),
        (scalar(lambda z: torch.full_like(z, LOG3 / math.log(10))), Z, "base 10"),
        (scalar(lambda z: torch.tensor(LOG3)), Z, "expand it to one number per point"),
        (lambda z: (-3 * z, torch.log(-3 * torch.ones_like(z))), Z, "the absolute value is missing"),
        (
            lambda z: (torch.sinh(z), torch.log(torch.cosh(torch.sinh(z)))),
            Z,
            "at the output x instead of the input",
        ),
        (lambda z: (torch.sinh(z) + z, torch.full_like(z, math.log(2))), Z, "same number for every point"),
        (linear(lambda z, d: (d / 3).expand(len(z))), PLANE, "mean over the dimensions"),
        (linear(lambda z, d: (d * len(z)).expand(len(z))), PLANE, "summed over the batch"),
        (linear(lambda z, d: (2 * d).expand(len(z))), PLANE, "twice as large"),
        (
            linear(lambda z, d: MATRIX.diagonal().log().sum().to(z.dtype).expand(len(z))),
            PLANE,
            "J is not triangular",
        ),
        (linear(lambda z, d: (d / 3).expand(len(z), 3)), PLANE, "not summed over each point"),
        (
            lambda z: (2 * z, torch.full((len(z),), 3 * math.log(2), dtype=z.dtype)),
            torch.randn(2, 3, 2, 2),
            "the factor H*W is missing",
        ),
    ],
)
def test_log_det_mistakes_are_named(map_, z, phrase):
    broken(lambda: checks.check_log_det(map_, z), phrase)


def test_a_small_error_is_not_taken_for_a_mistake():
    nearly = scalar(lambda z: torch.full_like(z, LOG3 + 1e-4))
    broken(lambda: checks.check_log_det(nearly, Z), "nearly right")


def test_a_map_that_is_not_invertible_is_named():
    broken(lambda: checks.check_log_det(lambda z: (z * 0, torch.zeros_like(z)), Z), "not invertible")


FORWARD = scalar(lambda z: torch.full_like(z, LOG3))


@pytest.mark.parametrize(
    ("inverse", "phrase"),
    [
        (lambda x: (x, torch.full_like(x, -LOG3)), "returns its input unchanged"),
        (lambda x: (3 * x + 1, torch.full_like(x, -LOG3)), "the forward map again"),
        (lambda x: (-(x - 1) / 3, torch.full_like(x, -LOG3)), "a sign is flipped in the inverse"),
        (lambda x: ((x - 1) / 3, torch.full_like(x, LOG3)), "both directions return the same number"),
        (lambda x: ((x - 1) / 3, torch.zeros_like(x)), "no log-determinant"),
        (lambda x: (x - 1) / 3, "must return two tensors"),
        (lambda x: ((x - 1)[:3], torch.zeros(3)), "a bijection keeps it"),
        (lambda x: ((x - 1) / 0, torch.zeros_like(x)), "not finite"),
    ],
)
def test_inverse_mistakes_are_named(inverse, phrase):
    broken(lambda: checks.check_inverse(FORWARD, inverse, Z), phrase)


class WrongOrder(Chain):
    def inverse(self, x, context=None):
        total = 0
        for layer in self.layers:
            x, term = layer.inverse(x)
            total = total + term
        return x, total


class FirstOnly(Chain):
    def inverse(self, x, context=None):
        return self.layers[0].inverse(x)


def test_chain_mistakes_are_named():
    layers = Affine(1.0, 2.0), Affine(0.5, 3.0)
    broken(lambda: checks.check_inverse(WrongOrder(*layers), z=Z), "inverted in the wrong order")
    broken(lambda: checks.check_inverse(FirstOnly(*layers), z=Z), "only the first layer is inverted")


def test_a_cancelling_sign_error_passes_the_round_trip_but_not_the_jacobian():
    class Cancels(Bijection):
        def forward(self, z, context=None):
            return 3 * z, torch.full_like(z, -LOG3)

        def inverse(self, x, context=None):
            return x / 3, torch.full_like(x, LOG3)

    checks.check_inverse(Cancels(), z=Z)
    broken(lambda: checks.check_bijection(Cancels(), z=Z), "the sign is flipped")


def test_partial_inverses_say_which_coordinates_or_points_fail():
    broken(
        lambda: checks.check_inverse(
            lambda z: (2 * z, z.new_zeros(len(z))),
            lambda x: (torch.cat([x[:, :2] / 2, x[:, 2:]], 1), x.new_zeros(len(x))),
            PLANE,
        ),
        "only coordinates 2 fail",
    )
    broken(
        lambda: checks.check_inverse(
            lambda z: (z**2, (2 * z).abs().log()), lambda x: (x.sqrt(), -(2 * x.sqrt()).log()), Z
        ),
        "perhaps the map folds there",
    )


def test_triangular():
    checks.check_triangular(lambda z: z.cumsum(1), PLANE)
    checks.check_triangular(lambda z: z.flip(1).cumsum(1).flip(1), PLANE, order=[2, 1, 0])
    turned = [2, 0, 1]  # x_2 first, then x_0, then x_1: not its own inverse
    checks.check_triangular(lambda z: z[:, turned].cumsum(1)[:, [1, 2, 0]], PLANE, order=turned)
    broken(lambda: checks.check_triangular(lambda z: z[:, turned].cumsum(1), PLANE, order=turned), "output 2")
    checks.check_triangular(lambda z: z.cumsum(1) - z, PLANE, strict=True)
    broken(lambda: checks.check_triangular(lambda z: z.cumsum(1), PLANE, strict=True), "equality through")
    broken(lambda: checks.check_triangular(lambda z: z.flip(1).cumsum(1).flip(1), PLANE), "transposed")
    broken(lambda: checks.check_triangular(lambda z: z + z.sum(1, keepdim=True), PLANE), "nothing is masked")
    # Nets return several sets of outputs, one after the other.
    checks.check_triangular(lambda z: torch.cat([z.cumsum(1), z], 1), PLANE)


class Subtracts(Flow):
    def log_prob(self, x, context=None):
        z, log_det = self.bijection.inverse(x)
        return self.base.log_prob(z) - log_det


@pytest.mark.parametrize(
    ("log_prob", "dim", "phrase"),
    [
        (lambda x: -0.5 * x**2, 0, "-(D/2) log 2 pi is missing"),
        (lambda x: -0.5 * x**2 - math.log(2 * math.pi), 0, "counted twice"),
        (lambda x: -(x**2) - 0.5 * math.log(2 * math.pi), 0, "1/2 in the exponent"),
        (lambda x: -0.5 * (x**2).sum(1), 2, "-(D/2) log 2 pi is missing"),
        (lambda x: torch.zeros_like(x) - 2.0, 0, "sign or factor"),
        (lambda x: -0.5 * x**2, 2, "not summed"),
    ],
)
def test_mass_mistakes_are_named(log_prob, dim, phrase):
    broken(lambda: checks.check_normalized(log_prob, dim=dim), phrase)


def test_a_subtracted_log_det_is_named():
    broken(lambda: checks.check_normalized(Subtracts(Affine(1.0, 2.0), StandardNormal(()))), "must add it")


def test_normalized_in_one_and_two_dimensions():
    checks.check_normalized(lambda x: -0.5 * x**2 - 0.5 * math.log(2 * math.pi))
    checks.check_normalized(lambda x: -0.5 * (x**2).sum(1) - math.log(2 * math.pi), dim=2)
    checks.check_normalized(Flow(Exp(), StandardNormal((1,))), 1e-4, 400.0, points=400000)


class WrongDirection(Flow):
    def sample(self, n, context=None, temperature=1.0, generator=None):
        return self.bijection.inverse(self.base.sample(n, temperature, generator))[0]


class Lazy(Flow):
    def sample(self, n, context=None, temperature=1.0, generator=None):
        return self.bijection.layers[0](self.base.sample(n, temperature, generator))[0]


def test_sampler_mistakes_are_named():
    layers = Chain(Affine(1.0, 2.0), Affine(-3.0, 0.3))
    checks.check_samples(Flow(layers, StandardNormal((2,))))
    broken(
        lambda: checks.check_samples(WrongDirection(layers, StandardNormal((2,)))), "normalising direction"
    )
    broken(lambda: checks.check_samples(Lazy(layers, StandardNormal((2,)))), "only the first layer")


def test_samples_of_plain_functions():
    torch.manual_seed(0)
    normal = torch.distributions.Normal(1.0, 2.0)
    checks.check_samples(lambda n: normal.sample((n,)), normal.log_prob)
    broken(
        lambda: checks.check_samples(lambda n: (torch.randn(n) - 1) / 2, normal.log_prob),
        "normalising direction",
    )


def test_gradients_name_the_parameter_that_is_cut_off():
    class Detached(Chain):
        def inverse(self, x, context=None):
            x, log_det = self.layers[1].inverse(x)
            z, term = self.layers[0].inverse(x.detach())
            return z, log_det + term.detach()

        def forward(self, z, context=None):
            return super().forward(z)

    class Unused(Affine):
        def inverse(self, x, context=None):
            return x, x.new_zeros(len(x))

    stack = Chain(Affine(0.0, 2.0, trainable=True), Unused(0.0, 1.0, trainable=True))
    broken(lambda: checks.check_gradients(stack, Z), "no gradient reaches 2 of 4", "bijection.layers.1")
    cut = Detached(Exp(), Affine(0.0, 2.0))
    broken(lambda: checks.check_gradients(cut, Z.abs() + 1), "cut off from its input")
    cut = Detached(Affine(0.0, 2.0, trainable=True), Affine(0.0, 2.0, trainable=True))
    broken(lambda: checks.check_gradients(cut, Z), "no gradient reaches x", "a state is detached")


def test_dtype_leaks_are_named():
    class Leaks(Bijection):
        def forward(self, z, context=None):
            return 2 * z, torch.full((len(z),), math.log(2))

        def inverse(self, x, context=None):
            return x / 2, torch.full((len(x),), -math.log(2))

    broken(lambda: checks.check_dtype_device(Leaks(), Z), "log_det is torch.float32", "torch.float64 input")


def test_check_flow_passes_a_right_flow_and_refuses_a_wrong_one():
    checks.check_flow(Flow(Inverse(Affine(1.0, 2.0)), StandardNormal((2,))))
    with pytest.raises(checks.LawBroken):
        checks.check_flow(Subtracts(Affine(1.0, 2.0), StandardNormal((2,))))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: checks.check_inverse(lambda z: z), TypeError, "give points to try"),
        (lambda: checks.check_inverse(lambda z: z, z=Z), TypeError, "give both"),
        (lambda: checks.check_log_det(Exp(), Z, direction="back"), ValueError, "got 'back'"),
        (lambda: checks.check_normalized(lambda x: x, dim=3), ValueError, "1 or 2 dimensions, got 3"),
    ],
)
def test_misuse_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
