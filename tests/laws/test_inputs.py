"""The kinds of input are what their names say."""

import torch

from flowlib.course.exercises import inputs


def test_points_have_few_and_many_dimensions_and_one_row():
    shapes = [tuple(z.shape) for _, z in inputs.points(inputs.generator(1))]
    assert {40, 300} <= {dim for _, dim in shapes}
    assert 1 in {count for count, _ in shapes}
    assert any(count == dim for count, dim in shapes)


def test_masks_let_something_stay_and_something_move():
    for dim in (2, 3, 5, 40):
        found = list(inputs.masks(dim, inputs.generator(2)))
        assert all(mask.any() and not mask.all() for mask in found)
        assert dim < 5 or len(found) >= 4


def test_matrices_have_the_determinant_that_was_asked_for():
    for det in (1e-12, -3.0, 1e8):
        made = inputs.matrix(5, inputs.generator(3), det)
        torch.testing.assert_close(made.det().item(), det, rtol=1e-6, atol=0.0)
        assert torch.linalg.cond(made) < 100


def test_columns_differ_as_measurements_do():
    data = inputs.columns(20_000, inputs.generator(4))
    torch.testing.assert_close(
        data.std(0), torch.tensor([1.0, 0.1, 1e-4, 50.0]).double(), rtol=0.05, atol=0.0
    )


def test_mixed_parts_are_found_again():
    parts = torch.arange(5.0), 10 + torch.arange(3.0), torch.tensor([99.0])
    whole, places = inputs.mixed(*parts, generator=inputs.generator(5))
    assert not torch.equal(whole, torch.cat(parts))
    for part, place in zip(parts, places, strict=True):
        assert torch.equal(whole[place], part)


def test_draws_follow_the_key_of_the_class():
    from flowlib.course.exercises import rules

    free = next(inputs.points(inputs.generator(6)))[1]
    with rules.hidden_seeds("a class"):
        assert not torch.equal(free, next(inputs.points(inputs.generator(6)))[1])
