"""The data sets have the shapes, units and densities that their docstrings state."""

import math
import subprocess
import sys

import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal

from flowlib import assets, data, table, targets
from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.checks import check_bijection
from flowlib.data import Split, Standardizer
from flowlib.flow import Flow
from flowlib.linear import Linear
from flowlib.models import RealNVP

ONE_D = [data.two_gaussians, data.house_prices, targets.skyline]
TWO_D = [data.two_moons, data.banana, data.noisy_sine, data.checkerboard, data.spirals, data.rings]
TWO_D += [targets.heavy_sine, targets.torus]


@pytest.mark.parametrize("draw", ONE_D + TWO_D, ids=lambda draw: draw.__name__)
def test_toy_sets_repeat_by_seed_and_keep_the_dtype(draw):
    event = () if draw in ONE_D else (2,)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    x = draw(100, seed=3)
    assert x.shape == (100, *event) and x.dtype == torch.float32 and torch.isfinite(x).all()
    assert torch.equal(x, draw(100, seed=3)) and not torch.equal(x, draw(100, seed=4))
    with pytest.raises(RuntimeError, match="Generator"):  # a seed is a number
        draw(100, seed=torch.Generator().manual_seed(3))
    assert draw(10, dtype=torch.float64).dtype == torch.float64
    assert torch.equal(torch.get_rng_state(), before)


def expectation(log_prob, values, low, high, points):
    """∫ p · values over [low, high]² by the midpoint rule."""
    width = (high - low) / points
    axis = low + width * (torch.arange(points, dtype=torch.float64) + 0.5)
    grid = torch.cartesian_prod(axis, axis)
    log_p = log_prob(grid)
    return float((log_p.exp() * values(log_p)).sum() * width**2)


@pytest.mark.parametrize(
    ("draw", "log_prob", "entropy", "size", "points"),
    [
        (data.banana, data.banana_log_prob, data.BANANA_ENTROPY, 30, 900),
        (data.noisy_sine, data.noisy_sine_log_prob, data.NOISY_SINE_ENTROPY, 3, 1200),
        (None, data.shared_target_log_prob, data.SHARED_TARGET_ENTROPY, 12, 1500),
    ],
    ids=["banana", "noisy_sine", "shared_target"],
)
def test_exact_densities_and_entropies(draw, log_prob, entropy, size, points):
    assert expectation(log_prob, torch.ones_like, -size, size, points) == pytest.approx(1, abs=1e-4)
    minus_log = lambda log_p: torch.where(log_p.isfinite(), -log_p, 0)  # noqa: E731
    assert expectation(log_prob, minus_log, -size, size, points) == pytest.approx(entropy, abs=2e-4)
    draws = draw(40_000) if draw else data.shared_target().test
    surprise = -log_prob(draws)
    error = surprise.std() / math.sqrt(len(draws))
    assert abs(surprise.mean() - entropy) < 4 * error


def test_the_entropy_of_the_noisy_sine_is_the_published_one():
    assert round(data.NOISY_SINE_ENTROPY, 3) == 0.908


def test_angles_have_their_density_and_entropy():
    """A grid of the whole torus is exact for smooth periodic functions."""
    pi = math.pi
    assert expectation(targets.torus_log_prob, torch.ones_like, -pi, pi, 200) == pytest.approx(1, abs=1e-9)
    entropy = expectation(targets.torus_log_prob, torch.neg, -pi, pi, 200)
    assert entropy == pytest.approx(targets.TORUS_ENTROPY, abs=1e-9)
    x = targets.torus(20_000, dtype=torch.float64)
    assert float(x.abs().max()) <= pi
    log_p = targets.torus_log_prob(x)
    assert abs(log_p.mean() + entropy) < 4 * log_p.std() / math.sqrt(len(x))
    torch.testing.assert_close(targets.torus_log_prob(x + 2 * pi), log_p)
    # x₁ is von Mises about π; x₂ about x₁ + sin x₁.
    turned = torch.stack([x[:, 0] + pi, x[:, 1] - x[:, 0] - x[:, 0].sin()])
    for angle, kappa in zip(turned, (1.0, 6.0), strict=True):
        centred = torch.remainder(angle + pi, 2 * pi) - pi
        assert stats.kstest(centred.numpy(), stats.vonmises(kappa).cdf).pvalue > 1e-3


@pytest.mark.parametrize("df", [2.0, 3.0, 10.0])
def test_heavy_tails_have_their_index(df):
    x = targets.heavy_sine(100_000, df, seed=1, dtype=torch.float64)
    log_p = targets.heavy_sine_log_prob(x, df)
    assert abs(log_p.mean() + targets.heavy_sine_entropy(df)) < 4 * log_p.std() / math.sqrt(len(x))
    t1, t2 = x[:, 0] - 2 * x[:, 1].sin(), x[:, 1]
    for values in (t1, t2):
        assert stats.kstest(values.numpy(), stats.t(df).cdf).pvalue > 1e-3
    if df == 2.0:  # Hill's estimate, from the largest 0.5 %
        largest = x.abs().sort(0).values[-501:]
        hill = 1 / (largest[1:] / largest[0]).log().mean(0)
        assert (hill - df).abs().max() < 0.4


def test_a_skyline_has_its_density():
    edges = torch.linspace(-5, 5, 100_001, dtype=torch.float64)
    grid = (edges[1:] + edges[:-1]) / 2
    log_p = targets.skyline_log_prob(grid)
    p = log_p.exp()
    assert float(p.sum()) * 1e-4 == pytest.approx(1, abs=1e-9)
    entropy = -float(torch.where(p > 0, p * log_p, 0).sum()) * 1e-4
    assert entropy == pytest.approx(targets.SKYLINE_ENTROPY, abs=1e-9)
    x = targets.skyline(50_000, dtype=torch.float64)
    counts, _ = torch.histogram(x, torch.tensor(targets.SKYLINE_EDGES, dtype=torch.float64))
    expected = 50_000 * torch.tensor(targets.SKYLINE_SHARES, dtype=torch.float64)
    assert stats.chisquare(counts.numpy(), expected.numpy()).pvalue > 1e-3
    assert torch.isfinite(targets.skyline_log_prob(x.float())).all()


def test_two_gaussians_follow_their_density():
    x = data.two_gaussians(20_000, dtype=torch.float64)
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    p = data.two_gaussians_log_prob(grid).exp()
    cdf = torch.cumulative_trapezoid(p, grid)
    assert cdf[-1] == pytest.approx(1, abs=1e-6)
    share = (x[:, None] <= grid[None, ::1000]).double().mean(0)[1:]
    assert (share - cdf[999::1000]).abs().max() < 1.63 / math.sqrt(len(x))  # Kolmogorov, 1%


def test_house_prices_are_log_normal():
    log_price = data.house_prices(50_000).log()
    mean, spread = math.exp(12.125), math.exp(12.125) * math.sqrt(math.exp(0.25) - 1)
    said = data.house_prices.__doc__
    assert all(f"${number:,.0f}" in said for number in (mean, math.exp(12), spread))
    assert log_price.mean() == pytest.approx(12, abs=0.01) and log_price.std() == pytest.approx(0.5, abs=0.01)


def test_geometry_of_the_toy_sets():
    squares = (data.checkerboard(4000) / 2).floor().long()
    assert (squares.sum(1) % 2 == 0).all() and len(squares.unique(dim=0)) == 8
    radius = data.rings(4000, noise=0.0).norm(dim=1)
    counts = [int((radius - r).abs().lt(1e-5).sum()) for r in (1, 2, 3)]
    assert sum(counts) == 4000
    assert [round(6 * count / 4000, 1) for count in counts] == pytest.approx([1, 2, 3], abs=0.2)
    moons = data.two_moons(4000, noise=0.0)
    upper = (moons.norm(dim=1) - 1).abs() < 1e-5
    lower = ((moons - torch.tensor([1, 0.5])).norm(dim=1) - 1).abs() < 1e-5
    assert (upper | lower).all() and abs(upper.float().mean() - 0.5) < 0.05
    arms = data.spirals(4000, noise=0.0)
    turn = arms.norm(dim=1) / 3
    assert turn.max() <= 1
    along = torch.stack([(3 * math.pi * turn).cos(), (3 * math.pi * turn).sin()], 1)
    torch.testing.assert_close((arms * along).sum(1).abs(), 3 * turn, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", list(data.ENERGIES))
def test_energies_are_finite_and_their_integral_converges(name):
    log_density = data.ENERGIES[name]
    x = 20 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    values = log_density(x)
    assert values.shape == (500,)
    assert torch.isfinite(values).all() and torch.isfinite(torch.autograd.grad(values.sum(), x)[0]).all()
    coarse, fine = data.log_integral(log_density, points=400), data.log_integral(log_density, points=800)
    assert coarse == pytest.approx(fine, abs=1e-6)
    assert data.log_integral(log_density, -12, 12, 800) == pytest.approx(fine, abs=1e-6)


def test_energies_are_those_of_the_paper():
    """By hand, at points where each formula is short."""
    points = torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, -2.0]])
    u1, u2, u3, u4 = (data.ENERGIES[f"U{k}"](points) for k in (1, 2, 3, 4))
    assert u1[0] == pytest.approx(0, abs=1e-6)  # on the ring, in a lobe
    assert u1[1] == pytest.approx(-0.5 * 25 - 0.5 * (2 / 0.6) ** 2 + math.log(2), rel=1e-5)
    assert u2[2] == pytest.approx(0, abs=1e-6) and u2[3] == pytest.approx(-0.5 * (3 / 0.4) ** 2, rel=1e-5)
    assert u3[3] == pytest.approx(0, abs=1e-6)  # the lower band lies 3 below at x₁ = 1
    assert u4[3] == pytest.approx(-0.5 * (1.5 / 0.35) ** 2, rel=1e-4)  # and 1.5 below there


def test_log_integral_of_a_gaussian():
    assert data.log_integral(lambda x: -0.5 * (x**2).sum(1)) == pytest.approx(math.log(2 * math.pi), abs=1e-9)


# --------------------------------------------------------------------------- measured tables


def test_ames():
    split = data.ames()
    assert [len(part) for part in split[:3]] == [2052, 439, 439]
    assert split.columns == ("price", "living_area", "year_built", "longitude", "latitude")
    torch.testing.assert_close(split.train.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(split.train.std(0), torch.ones(5), atol=1e-5, rtol=0)
    rows = torch.cat([split.units(part)[0] for part in split[:3]])
    prices = data.ames_prices()
    assert prices.shape == (2930,) and prices.median() == 160_000
    # Half a rounding step at most lies between a dequantized price and a recorded one.
    gap = (rows[:, 0].sort().values - prices.sort().values).abs()
    assert gap.max() <= 100 and gap.float().mean() > 1
    assert "2052" in repr(split) and "latitude" in repr(split)


def test_parts_are_disjoint_and_complete():
    parts = data.split_rows(1001, seed=0)
    assert sorted(torch.cat(parts).tolist()) == list(range(1001))
    assert [len(part) for part in parts] == [701, 150, 150]
    assert not torch.equal(parts[0], data.split_rows(1001, seed=1)[0])


def test_columns_can_be_chosen():
    split = data.ames(("lot_area", "price"), dtype=torch.float64)
    assert split.train.shape == (2052, 2) and split.train.dtype == torch.float64
    lot, price = split.units(split.train)[0].unbind(1)
    assert 7_000 < lot.median() < 12_000 and 150_000 < price.median() < 170_000
    with pytest.raises(ValueError, match="living_area"):
        data.ames(("price", "bathrooms"))


def test_diamonds():
    split = data.diamonds()
    assert sum(len(part) for part in split[:3]) == 53_940 - 20
    assert split.train.shape[1] == 7 and torch.isfinite(split.train).all()
    rows = split.units(split.train)[0]
    assert rows.min() > 0
    assert rows[:, 0].mean() == pytest.approx(0.798, abs=0.01)  # carat
    assert rows[:, 3].mean() == pytest.approx(3933, abs=60)  # dollars


def mixed_table():
    """A thousand rows: heavy tails, whole numbers, a plain column, and a category."""
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(1000, 3, generator=generator, dtype=torch.float64)
    kinds = ["a", "b", "c"]
    return {
        "heavy": (5 + 2 * plain[:, 0]).exp().numpy(),
        "whole": (10 * plain[:, 1]).round().numpy().astype(int),
        "plain": plain[:, 2].tolist(),
        "kind": [kinds[i % 3] for i in range(1000)],
    }


def test_prepared_rows_lead_back_to_the_table():
    table = mixed_table()
    rows, kinds = data.prepare(table, log=["heavy"], steps={"whole": 1}, context="kind", dtype=torch.float64)
    assert rows.columns == ("heavy", "whole", "plain") and kinds.columns == ("a", "b", "c")
    assert [len(part) for part in rows[:3]] == [len(part) for part in kinds[:3]] == [700, 150, 150]
    torch.testing.assert_close(rows.train.std(0), torch.ones(3, dtype=torch.float64))
    # Every row of the table comes back once, in the units that it had; only what was rounded has noise.
    z, known = torch.cat(rows[:3]), torch.cat(kinds[:3])
    heavy, whole, plain = rows.units(z)[0].unbind(1)
    order = plain.argsort()
    first = torch.tensor(table["plain"], dtype=torch.float64).argsort()
    torch.testing.assert_close(heavy[order], torch.from_numpy(table["heavy"])[first])
    assert torch.equal(whole[order].round().long(), torch.from_numpy(table["whole"])[first])
    assert not torch.equal(whole, whole.round())
    assert [kinds.columns[i] for i in known[order].argmax(1)] == [table["kind"][i] for i in first]
    assert torch.equal(known.sum(1), torch.ones(1000, dtype=torch.float64))


def test_prepared_rows_keep_their_density():
    """A density in the units of the table: log-normal, rounded to nothing, is log-normal again."""
    table = mixed_table()
    rows, none = data.prepare({"heavy": table["heavy"]}, log=["heavy"], dtype=torch.float64)
    assert none.train.shape == (700, 0) and none.columns == ()
    units = rows.units
    density = Flow(units, StandardNormal(1)).double()
    truth = torch.distributions.LogNormal(units.shift, units.scale)
    x = torch.from_numpy(table["heavy"])[:, None]
    torch.testing.assert_close(density.log_prob(x), truth.log_prob(x).sum(1))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"log": ["hevy"]}, "expected columns among heavy, whole, plain; got hevy"),
        ({}, {"steps": {"kind": 1.0}}, "got kind"),
        ({}, {"context": "sort"}, "expected a context among .*kind; got sort"),
        ({}, {"context": None}, "kind holds what is no number"),
        ({"plain": [math.nan] * 3 + [0.0] * 997}, {}, "plain holds 3 values that are missing"),
        ({}, {"log": ["plain"]}, "plain: a logarithm needs values > 0, got -"),
        ({"whole": [0] * 500 + [1] * 500}, {"log": ["whole"], "steps": {"whole": 1.0}}, "after the noise"),
        ({"plain": [1.0] * 1000}, {}, "finite and vary"),
    ],
)
def test_a_table_that_cannot_be_prepared_is_refused_in_words(change, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.prepare(mixed_table() | change, **{"context": "kind"} | arguments)


def test_dequantized_values_round_back():
    x = torch.arange(50.0)
    noisy = data.dequantize(100 * x, 100.0)
    torch.testing.assert_close((noisy / 100).round(), x)
    assert len(noisy.unique()) == 50 and torch.equal(noisy, data.dequantize(100 * x, 100.0, seed=0))
    drawn = data.dequantize(100 * x, 100.0, generator=torch.Generator().manual_seed(0))
    assert torch.equal(noisy, drawn)


@pytest.mark.parametrize("log", [None, [True, False, True]])
def test_standardizer_is_a_bijection_with_the_right_log_det(log):
    x = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 10 + 1
    units = Standardizer.fit(x, log)
    z, _ = units.inverse(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3, dtype=z.dtype), atol=1e-12, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(3, dtype=z.dtype))
    check_bijection(units, z=z[:20])
    with pytest.raises(ValueError, match=r"\(batch, 3\)"):
        units(z[:, :2])


def test_standardizer_raises_outside_its_domain():
    units = Standardizer.fit(torch.tensor([[1.0, -1.0], [2.0, 3.0]]), [True, False])
    units.inverse(torch.tensor([[1e-3, -9.0]]))
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="need x > 0"):
            units.inverse(torch.tensor([[1.0, 1.0], [bad, 1.0]]))


@pytest.mark.parametrize(
    ("column", "log"), [([0.1] * 7, False), ([1.0, math.inf], False), ([1.0, -1.0], True), ([1.0, 0.0], True)]
)
def test_standardizer_does_not_start_from_a_column_that_it_cannot_scale(column, log):
    x = torch.stack([torch.tensor(column), torch.arange(len(column), dtype=torch.float32)], 1)
    with pytest.raises(ValueError, match="finite and vary, and be > 0"):
        Standardizer.fit(x, [log, False])


def test_a_density_in_original_units():
    """A Gaussian fitted to standardised rows, seen in the original ones, is the Gaussian of those."""
    x = data.banana(500, dtype=torch.float64) * torch.tensor([10.0, 0.1]) + 5
    units = Standardizer.fit(x)
    z, _ = units.inverse(x)
    factor = torch.linalg.cholesky(torch.cov(z.T))
    flow = Flow(Chain(Linear.from_matrix(factor), units), StandardNormal((2,))).double()
    exact = MultivariateNormal(x.mean(0), torch.cov(x.T))
    torch.testing.assert_close(flow.log_prob(x), exact.log_prob(x))


# --------------------------------------------------------------------------- images


def test_digits():
    images, labels = data.digits()
    assert isinstance(images, Split) and images.train.shape == (1259, 1, 8, 8)
    assert sum(len(part) for part in images[:3]) == 1797
    assert images.train.unique().tolist() == list(range(data.DIGITS_LEVELS))
    for part, classes in zip(images[:3], labels[:3], strict=True):
        assert len(part) == len(classes) and classes.dtype == torch.int64
        assert set(classes.tolist()) == set(range(10))
    # Images and labels belong together: the mean images of the classes tell the test digits apart.
    means = torch.stack([images.train[labels.train == digit].mean(0).flatten() for digit in range(10)])
    guess = torch.cdist(images.test.flatten(1), means).argmin(1)
    assert (guess == labels.test).float().mean() > 0.85


def test_natural_patches():
    split = data.natural_patches(200, size=6)
    assert split.train.shape == (200, 3, 6, 6) and split.test.shape == split.valid.shape == (50, 3, 6, 6)
    whole = torch.cat(split[:3])
    assert torch.equal(whole, whole.round()) and whole.min() >= 0 and whole.max() <= 255
    # Neighbouring pixels are alike, pixels of different patches are not: the axes are in order.
    near = (whole[..., 1:] - whole[..., :-1]).abs().mean()
    assert near < 0.5 * (whole[1:] - whole[:-1]).abs().mean()
    with pytest.raises(ValueError, match="patch size"):
        data.natural_patches(10, size=500)


def test_the_parts_of_the_patches_are_of_one_kind():
    """Roughness is the mean step between neighbours: with one cut per photograph it differed by a half."""
    rough = [(part[..., 1:] - part[..., :-1]).abs().mean() for part in data.natural_patches()[:3]]
    assert max(rough) < 1.15 * min(rough)


def test_patches_come_from_the_photographs():
    from sklearn.datasets import load_sample_images

    patch = data.natural_patches(1, size=8).train[0].permute(1, 2, 0)
    photographs = [torch.tensor(image) for image in load_sample_images().images]
    found = False
    for photograph in photographs:
        corners = (photograph[:-7, :-7] == patch[0, 0]).all(-1).nonzero()
        found |= any(
            torch.equal(photograph[i : i + 8, j : j + 8].float(), patch) for i, j in corners.tolist()
        )
    assert found


# --------------------------------------------------------------------------- files


def test_a_missing_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWLIB_ASSETS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="FLOWLIB_ASSETS"):
        assets.asset("data", "ames.csv")


def test_results_are_measured_written_and_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLOWLIB_ASSETS", str(tmp_path))
    (tmp_path / "results").mkdir()
    tables = {"slow": lambda: iter([{"seed": 0, "nll": 1.5}, {"seed": 1, "nll": 1.25}]), "quick": lambda: []}
    assets.measure("01_name", tables)
    assert capsys.readouterr().out.splitlines()[0] == "slow {'seed': 0, 'nll': 1.5}"
    assert assets.read_results("01_name", "slow") == [{"seed": 0, "nll": 1.5}, {"seed": 1, "nll": 1.25}]
    assets.measure("01_name", {"quick": lambda: [{"seed": 2}]}, ["quick"])
    assert len(assets.read_results("01_name", "slow")) == 2, "a table that was not named stays"
    assert assets.read_results("01_name", "quick") == [{"seed": 2}]
    with pytest.raises(KeyError, match="it has quick, slow"):
        assets.read_results("01_name", "none")


def test_the_data_are_found_from_any_folder(tmp_path):
    code = "import flowlib.data as d; print(len(d.ames_prices()))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "2930\n"), done.stderr


def test_the_shared_table_has_a_row_for_each_model():
    rows = table.shared_table()
    assert len({row["model"] for row in rows}) == len(rows)
    for row in rows:
        assert data.SHARED_TARGET_ENTROPY - 0.02 < row["nll"] < 4, row
        assert row["parameters"] >= 1 and row["forward_ms"] > 0 and row["inverse_ms"] > 0
        assert 0 <= row["round_trip"] < 1e-3
    up_to_3 = table.shared_table(3)
    assert up_to_3 == [row for row in rows if row["lesson"] <= 3]


def test_load_weights_gives_a_trained_flow():
    x = data.checkerboard(2000, seed=5)
    fresh = RealNVP(2)
    before = fresh.log_prob(x).mean()
    trained = assets.load_weights(fresh, "04_realnvp", "checkerboard")
    assert trained is fresh and not trained.training
    assert trained.log_prob(x).mean() > before + 0.5


def test_load_weights_says_what_there_is():
    with pytest.raises(KeyError, match="no flow named 'check'; it has checkerboard, "):
        assets.load_weights(RealNVP(2), "04_realnvp", "check")
    with pytest.raises(FileNotFoundError, match="04_glow"):
        assets.load_weights(RealNVP(2), "04_glow", "checkerboard")
    with pytest.raises(RuntimeError, match="RealNVP"):
        assets.load_weights(RealNVP(3), "04_realnvp", "checkerboard")
