"""The plots draw the right numbers, on the axes they are given, and change nothing else."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Beta, MultivariateNormal, Normal, Uniform

from flowlib import data, plots, table
from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.models import RealNVP
from flowlib.scalar import Affine, Exp, MixtureCDF
from flowlib.training import History

HOUSES = Flow(Chain(Affine(12.0, 0.5), Exp()), StandardNormal(()))
SHEARED = Flow(Linear.from_matrix(torch.tensor([[1.0, 0.5], [0.0, 2.0]])), StandardNormal((2,)))
HISTORY = History([10, 20, 30], [3.0, 2.0, 1.5], [3.1, 2.1, 2.2], best_step=20)
ROWS = [
    {
        "model": "linear",
        "nll": 2.6,
        "parameters": 7,
        "forward_ms": 0.1,
        "inverse_ms": 0.1,
        "round_trip": 1e-7,
    },
    {
        "model": "planar",
        "nll": 2.0,
        "parameters": 160,
        "forward_ms": 9.0,
        "inverse_ms": 1.0,
        "round_trip": 1e-6,
    },
]

# One call of every public function: (name, draw(**where)).
CALLS = {
    "density_1d": lambda **kw: plots.density_1d(HOUSES, **kw),
    "transport_triptych": lambda **kw: plots.transport_triptych(HOUSES, **kw),
    "density_map": lambda **kw: plots.density_map(SHEARED, 3, points=20, **kw),
    "density_difference": lambda **kw: plots.density_difference(SHEARED, SHEARED, 3, points=20, **kw),
    "scatter_samples": lambda **kw: plots.scatter_samples(torch.randn(50, 2), **kw),
    "warped_grid": lambda **kw: plots.warped_grid(SHEARED, **kw),
    "trace_panels": lambda **kw: plots.trace_panels(RealNVP(2, layers=6), n=50, **kw),
    "learning_curve": lambda **kw: plots.learning_curve(HISTORY, reference=1.4, **kw),
    "image_grid": lambda **kw: plots.image_grid(torch.rand(7, 1, 4, 4), columns=3, **kw),
    "trade_off": lambda **kw: table.trade_off(ROWS, entropy=1.7, highlight="planar", **kw),
    "jacobian_pattern": lambda **kw: plots.jacobian_pattern(SHEARED, torch.zeros(2), **kw),
}
NOT_DRAWN = {"use_style", "animate_trace"}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def curves(ax):
    return [line.get_xydata() for line in ax.get_lines()]


def test_every_public_function_is_tried_here():
    functions = {
        name
        for name, thing in inspect.getmembers(plots, inspect.isfunction)
        if thing.__module__ == "flowlib.plots" and not name.startswith("_")
    }
    assert functions | {"trade_off"} == set(CALLS) | NOT_DRAWN
    for name in functions:
        assert getattr(plots, name).__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("name", CALLS)
def test_draws_on_new_axes_and_changes_no_setting(name):
    before, state = dict(plt.rcParams), torch.get_rng_state()
    axes = CALLS[name]()
    for ax in np.ravel(axes):
        assert isinstance(ax, plt.Axes) and ax.has_data()
    np.ravel(axes)[0].figure.canvas.draw()
    assert dict(plt.rcParams) == before
    if name not in ("scatter_samples", "image_grid", "trace_panels"):  # these calls draw their own data
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "trace_panels"])
def test_draws_on_the_axes_it_is_given(name):
    number = {"transport_triptych": 3, "warped_grid": 2, "trade_off": 2}.get(name)
    figure, given = plt.subplots(1, number or 1)
    returned = CALLS[name](**({"axes": given} if number else {"ax": given}))
    assert all(a is b for a, b in zip(np.ravel(returned), np.ravel(given), strict=True))
    assert plt.get_fignums() == [figure.number]


def test_style():
    with plt.rc_context():
        plots.use_style(scale=1.5)
        for call in CALLS.values():
            np.ravel(call())[0].figure.canvas.draw()


def test_density_1d_draws_the_density():
    ax = plots.density_1d(
        Normal(1.0, 2.0), -3, 5, reference=Normal(0.0, 1.0), samples=torch.randn(4000), kind="z"
    )
    curve, reference = curves(ax)
    np.testing.assert_allclose(
        curve[:, 1], Normal(1.0, 2.0).log_prob(torch.tensor(curve[:, 0])).exp(), rtol=1e-5
    )
    np.testing.assert_allclose(
        reference[:, 1], np.exp(-0.5 * curve[:, 0] ** 2) / np.sqrt(2 * np.pi), rtol=1e-5
    )
    assert ax.get_lines()[0].get_color() == plots.Z_COLOR and ax.get_lines()[1].get_linestyle() == "--"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z$", "$p_z(z)$")
    assert ax.get_xlim() == (-3, 5)


def test_the_histogram_has_the_scale_of_the_density():
    samples = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    ax = plots.density_1d(None, 0.25, 0.75, samples=samples, bins=5)
    heights = ax.patches[0].get_data().values
    np.testing.assert_allclose(heights, 1, atol=0.15)  # not 2: half of the samples lie outside the view


def test_density_1d_outside_the_support_is_zero():
    curve = curves(plots.density_1d(Uniform(0.0, 1.0), -1, 2, points=301))[0]
    inside = (curve[:, 0] > 0.01) & (curve[:, 0] < 0.99)
    assert (curve[inside, 1] == 1).all() and curve[curve[:, 0] < -0.01, 1].max() == 0


def test_a_plain_function_needs_a_range():
    with pytest.raises(ValueError, match="low= and high="):
        plots.density_1d(data.two_gaussians_log_prob)
    with pytest.raises(ValueError, match="one-dimensional"):
        plots.density_1d(None, samples=torch.zeros(5, 2))


@pytest.mark.parametrize(
    ("flow", "mass"),
    [
        (HOUSES, 0.998),
        (Flow(Inverse(MixtureCDF(4)), Beta(2.0, 5.0)), 0.998),
        (Flow(Affine(0.0, -2.0), Normal(0.0, 1.0)), 0.998),
    ],
    ids=["increasing", "beta base", "decreasing"],
)
def test_the_bands_of_the_triptych_keep_their_area(flow, mass):
    axes = plots.transport_triptych(flow, bands=6)
    for ax in (axes[0], axes[2]):
        areas = []
        for band in ax.collections:
            outline = band.get_paths()[0].vertices
            x, y = outline[:, 0], outline[:, 1]
            areas.append(abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2)  # shoelace
        assert len(areas) == 6
        np.testing.assert_allclose(areas[1:-1], 1 / 6, atol=0.003)
        assert sum(areas) == pytest.approx(mass, abs=0.004)


def test_the_triptych_shows_the_densities_of_the_flow():
    axes = plots.transport_triptych(HOUSES, samples=data.house_prices())
    x, p = curves(axes[2])[0].T
    np.testing.assert_allclose(p, HOUSES.log_prob(torch.tensor(x).float()).exp(), rtol=1e-3)
    z, f = curves(axes[1])[0].T
    np.testing.assert_allclose(f, np.exp(12 + 0.5 * z), rtol=1e-4)
    column = Flow(Affine(1.0, 2.0), StandardNormal((1,)))  # event shape (1,) as well as ()
    z, f = curves(plots.transport_triptych(column)[1])[0].T
    np.testing.assert_allclose(f, 1 + 2 * z, atol=1e-5)


def test_density_map_has_the_right_way_up():
    target = MultivariateNormal(torch.tensor([1.0, -2.0]), torch.eye(2) * 0.05)
    ax = plots.density_map(target, (-2, 2, -3, 3), points=120)
    (image,) = ax.images
    row, column = np.unravel_index(image.get_array().argmax(), (120, 120))
    assert image.origin == "lower" and image.get_extent() == [-2, 2, -3, 3]
    assert -2 + 4 * (column + 0.5) / 120 == pytest.approx(1, abs=0.03)
    assert -3 + 6 * (row + 0.5) / 120 == pytest.approx(-2, abs=0.03)
    assert image.get_array().sum() * 4 * 6 / 120**2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "density",
    [RealNVP(2, layers=2).double(), MultivariateNormal(torch.ones(2).double(), torch.eye(2).double())],
)
def test_points_have_the_dtype_of_what_they_are_given_to(density):
    """What holds for the dtype holds for the device: both are read from the same tensor."""
    whole, method = (plots.density_map(d, 3, points=20) for d in (density, density.log_prob))
    np.testing.assert_array_equal(whole.images[0].get_array(), method.images[0].get_array())


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_flows_distributions_and_points_may_live_on_a_gpu():
    flow, normal = RealNVP(2, layers=2).cuda(), MultivariateNormal(torch.ones(2).cuda(), torch.eye(2).cuda())
    for density in (flow, flow.log_prob, normal, normal.log_prob):
        plots.density_map(density, 3, points=20)
    plots.density_1d(Normal(torch.zeros((), device="cuda"), 1.0), samples=torch.randn(50, device="cuda"))
    plots.scatter_samples(flow.sample(50))
    plots.warped_grid(flow)
    plots.trace_panels(flow, samples=torch.randn(50, 2))


def test_log_density_is_cut_off_at_the_floor():
    ax = plots.density_map(
        data.noisy_sine_log_prob, (-2, 2, -4, 4), log=True, floor=-5, points=50, colorbar=True
    )
    values = ax.images[0].get_array()
    assert np.isfinite(values).all() and values.max() - values.min() == pytest.approx(5, abs=1e-4)


def test_the_difference_is_centred_on_white():
    ax = plots.density_difference(SHEARED, Normal(torch.zeros(2), torch.ones(2)), 3, points=30)
    low, high = ax.images[0].get_clim()
    assert low == -high and np.abs(ax.images[0].get_array()).max() == pytest.approx(high)


def test_samples_in_space_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 2\), got \(5, 3\)"):
        plots.scatter_samples(torch.zeros(5, 3))


def test_warped_grid_moves_the_lines():
    axes = plots.warped_grid(SHEARED, 1, lines=3, points=5)
    for before, after in zip(axes[0].collections, axes[1].collections, strict=True):
        for line, moved in zip(before.get_segments(), after.get_segments(), strict=True):
            np.testing.assert_allclose(moved, line @ np.array([[1.0, 0.5], [0.0, 2.0]]).T, atol=1e-6)
    cells = [ax.patches[0].get_path().vertices for ax in axes]
    area = [abs(np.sum(c[:-1, 0] * c[1:, 1] - c[1:, 0] * c[:-1, 1])) / 2 for c in cells]
    assert area[1] == pytest.approx(2 * area[0], rel=1e-5)  # |det| = 2


def test_trace_panels_begin_with_z_and_end_with_x():
    flow = RealNVP(2, layers=6).double()
    axes = plots.trace_panels(flow, n=100, panels=4)
    assert [ax.get_title() for ax in axes] == ["$z$", "after layer 2", "after layer 4", "$x$"]
    z = axes[0].collections[0].get_offsets()
    x = axes[-1].collections[0].get_offsets()
    np.testing.assert_allclose(flow.bijection(torch.tensor(z))[0].detach(), x, atol=1e-10)
    from_data = plots.trace_panels(flow, samples=torch.ones(5, 2, dtype=torch.float64), panels=2)
    np.testing.assert_allclose(from_data[-1].collections[0].get_offsets(), 1)


def test_animation_is_small_and_leaves_no_figure_open(tmp_path):
    path = plots.animate_trace(RealNVP(2), tmp_path / "new" / "trace.gif")
    assert path.stat().st_size < 1_000_000
    assert plt.get_fignums() == []
    with Image.open(path) as gif:
        assert gif.n_frames > 1 and gif.info["loop"] == 0


def test_learning_curve_marks_the_kept_weights():
    ax = plots.learning_curve(HISTORY)
    drawn = curves(ax)
    np.testing.assert_array_equal(drawn[0], [[10, 3.0], [20, 2.0], [30, 1.5]])
    np.testing.assert_array_equal(drawn[2], [[20, 2.1]])
    assert {text.get_text() for text in ax.texts} == {"train", "valid"}
    assert len(curves(plots.learning_curve(History([1, 2], [2.0, 1.0])))) == 1


def test_image_grid_places_images_row_by_row():
    images = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 2, 2)
    ax = plots.image_grid(images, columns=3, levels=5, rows=("above", "below"))
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (5, 8)
    np.testing.assert_allclose(1 - sheet[[0, 0, 0, 3, 3], [0, 3, 6, 0, 3]], np.arange(5) / 4)
    gaps = np.concatenate([sheet[2], sheet[:, [2, 5]].ravel(), sheet[3:, 6:].ravel()])
    assert 0.5 < gaps.min() == gaps.max() < 1  # neither ink nor paper
    assert [(text.get_text(), text.get_position()[1]) for text in ax.texts] == [("above", 1), ("below", 4)]
    colour = plots.image_grid(torch.rand(2, 3, 4, 4)).images[0].get_array()
    assert colour.shape == (4, 9, 3)


def test_trade_off_shows_missing_nats_and_names():
    axes = table.trade_off(ROWS, entropy=1.7, highlight="planar")
    np.testing.assert_allclose(axes[0].collections[0].get_offsets(), [[0.1, 0.9], [9.0, 0.3]])
    np.testing.assert_allclose(axes[1].collections[0].get_offsets()[1], [1.0, 0.3])
    for ax in axes:
        assert [text.get_text() for text in ax.texts] == ["linear", "planar"]
    assert "planar" in table.trade_off_table(ROWS, entropy=1.7).splitlines()[2]


def test_names_of_near_points_do_not_cover_each_other():
    rows = [{**ROWS[0], "model": f"flow {k}", "nll": 2 + 0.001 * k} for k in range(4)]
    for ax in table.trade_off(rows, entropy=1.0):
        ax.figure.canvas.draw()
        boxes = [text.get_window_extent() for text in ax.texts]
        for first, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[first + 1 :])


def test_jacobian_pattern_shows_zeros():
    lower = torch.tril(torch.ones(4, 4)) + torch.eye(4)
    ax = plots.jacobian_pattern(Linear.from_matrix(lower), torch.zeros(4))
    np.testing.assert_allclose(ax.images[0].get_array(), lower, atol=1e-6)
    assert len(ax.collections[0].get_offsets()) == 6
    ax = plots.jacobian_pattern(Linear.from_matrix(lower), torch.zeros(4), inverse=True)
    np.testing.assert_allclose(ax.images[0].get_array(), torch.linalg.inv(lower), atol=1e-5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_j$", "$z_i$")
