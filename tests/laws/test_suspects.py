"""A wrong value is put into words that fit it, and into no others."""

import math

import numpy as np
import pytest
import torch

from flowlib import checks, suspects

TRUTH = torch.tensor([1.0, -2.0, 0.25])
CONSTANT = 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize(
    ("found", "phrase"),
    [
        (np.ones(3, dtype=np.float32), "is a NumPy array: return a tensor"),
        ([1.0, 2.0, 3.0], "is a list: return a tensor of shape (3,)"),
        (TRUTH.double(), "is float64, expected float32"),
        (TRUTH[:, None], "has shape (3, 1), expected (3,): drop the last axis"),
        (TRUTH.sum(), "has shape (), expected (3,): one number for each point"),
        (torch.ones(3, 2), "has shape (3, 2), expected (3,): sum over the dimensions"),
        (torch.tensor([1.0, math.nan, 0.25]), "(NaN) in 1 of 3 entries"),
        (torch.tensor([1.0, -2.0, 0.5]), "at [2] it is 0.5, expected 0.25 (1 of 3 entries differ)"),
        (-TRUTH, "wrong: the sign is flipped"),
    ],
)
def test_a_wrong_value_in_words(found, phrase):
    with pytest.raises(checks.LawBroken) as broken:
        checks.check_value("log_det", found, TRUTH, {"the sign is flipped": -TRUTH}, where="with D = 2")
    assert phrase in str(broken.value)
    assert str(broken.value).startswith("with D = 2: log_det")


def test_numbers_that_look_alike_are_told_apart():
    with pytest.raises(checks.LawBroken, match=r"3\.6603, off by 1\.0e-07"):
        checks.check_value("x", 3.6603001, 3.6603, tolerance=1e-9)


def test_a_right_value_passes():
    checks.check_value("x", TRUTH + 1e-5, TRUTH)
    checks.check_value("nll", 1, 1.0)
    checks.check_value("x", torch.full((2,), math.nan), torch.full((2,), math.nan))


def test_a_value_that_is_nearly_right_is_called_so():
    with pytest.raises(checks.LawBroken, match="nearly right: something small is added"):
        checks.check_value("z", TRUTH.double() + 1e-5, TRUTH.double())


def test_a_mistake_that_would_make_no_difference_is_not_named():
    with pytest.raises(checks.LawBroken, match="nearly right"):
        checks.check_value("z", TRUTH.double() + 1e-5, TRUTH.double(), {"this one": TRUTH.double()})


def test_values_that_are_lost_get_a_name_where_there_is_one():
    lost = torch.full((3,), math.nan)
    with pytest.raises(checks.LawBroken, match="wrong: the absolute value is missing"):
        checks.check_value("log_det", lost, TRUTH, {"the absolute value is missing": lost})
    with pytest.raises(checks.LawBroken, match="in 3 of 3 entries: exp overflows"):
        checks.check_value("log_det", lost, TRUTH, otherwise="exp overflows")


def test_the_expected_value_may_stay_unsaid():
    with pytest.raises(checks.LawBroken, match=r"^log_det is wrong: a sign$"):
        checks.check_value("log_det", TRUTH + 1, TRUTH, otherwise="a sign", show=False)


def test_the_law_of_the_log_determinant_takes_suspects_of_a_task():
    z = torch.randn(5, dtype=torch.float64)

    def without_scale(z):
        return 2 * z.sinh(), z.cosh().log()

    with pytest.raises(checks.LawBroken, match="the scale is missing"):
        checks.check_log_det(without_scale, z, suspects={"the scale is missing": z.cosh().log()})


def test_log_determinants_that_look_alike_are_told_apart():
    z = torch.randn(5, dtype=torch.float64)
    with pytest.raises(checks.LawBroken, match=r"\(off by 1\.0e-06\)"):
        checks.check_log_det(lambda z: (2 * z, torch.full_like(z, math.log(2) + 1e-6)), z)


def test_suspects_that_the_numbers_cannot_tell_apart_are_both_named():
    mistakes = {"this one": TRUTH + 1, "that one": TRUTH + 1, "another": TRUTH - 1}
    with pytest.raises(checks.LawBroken, match=r"this one \(or: that one\)"):
        checks.check_value("x", TRUTH + 1, TRUTH, mistakes)


def test_the_usual_mistakes_of_a_density_differ_from_each_other():
    """So that none gets another's name."""
    z, log_det = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    truth = -0.5 * z.square().sum(1) - 3 * CONSTANT + log_det
    values = [truth, *suspects.log_prob_mistakes(z, log_det).values()]
    apart = [(a - b).abs().max() for i, a in enumerate(values) for b in values[:i]]
    assert min(apart) > 1e-3


def test_a_value_is_taken_in_both_forms():
    words = {"A": "healthy"}
    assert checks.as_value(words) is checks.as_value(lambda: words) is words


def in_place(z):
    z += 1.0
    return z


def test_arguments_that_change_are_told():
    checks.check_unchanged(lambda z, mask: z + mask, TRUTH.clone(), torch.ones(3))
    with pytest.raises(checks.LawBroken, match="changes its second argument in place"):
        checks.check_unchanged(lambda mask, z: in_place(z), torch.ones(3), TRUTH.clone())
    mine = TRUTH.clone()
    with pytest.raises(checks.LawBroken, match="first argument"):
        checks.check_unchanged(in_place, mine)
    assert suspects.same(mine, TRUTH), "the arguments themselves stay as they were"


def test_a_graph_that_is_cut_is_told():
    def whole(z, weights):
        return torch.tanh(z @ weights[0]), weights[1] * z.sum()

    z = torch.randn(4, 3, dtype=torch.float64)
    weights = torch.randn(3, 2, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    checks.check_differentiable(whole, z, weights, by=(0, 1))
    with pytest.raises(checks.LawBroken, match="no gradient reaches the first argument of whole_cut"):

        def whole_cut(z, weights):
            return whole(z.detach(), weights)

        checks.check_differentiable(whole_cut, z, weights, by=(0, 1))
    with pytest.raises(checks.LawBroken, match=r"the second argument.*a part of the way is cut off"):
        checks.check_differentiable(lambda z, w: whole(z, (w[0], w[1].detach())), z, weights, by=(1,))
    with torch.no_grad():
        checks.check_differentiable(whole, z, weights, by=(0,))


class Scale(torch.nn.Module):
    def __init__(self, exchanges=False, trains=True, cuts=False):
        super().__init__()
        self.s = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64), requires_grad=trains)
        self.register_buffer("started", torch.tensor(False))
        self.exchanges, self.cuts = exchanges, cuts

    def forward(self, x):
        if not self.started:
            start = x.std(0).log()
            if self.exchanges:
                self.s = torch.nn.Parameter(start)
            else:
                self.s.data.copy_(start)
            self.started.fill_(True)
        return x * self.s.exp(), (self.s.detach() if self.cuts else self.s).sum().expand(len(x))


def test_a_layer_that_cannot_learn_is_told():
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    calls = ("forward", x), ("forward", x + 1)
    checks.check_learns(Scale, *calls)
    for mistake, words in (
        ({"exchanges": True}, "leaves s where it was.*holds other parameters"),
        ({"trains": False}, "leaves s where it was.*no trainable parameter"),
        ({"cuts": True}, "moves s elsewhere.*cut off"),
    ):
        with pytest.raises(checks.LawBroken, match=words):
            checks.check_learns(lambda mistake=mistake: Scale(**mistake), *calls)
    with pytest.raises(checks.LawBroken, match="depends on nothing"):
        checks.check_learns(lambda: torch.nn.PReLU().double(), *calls)
