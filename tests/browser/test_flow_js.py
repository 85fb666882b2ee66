"""flow.js against flowlib: the same points, log-determinants and densities, in a real browser."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.distributions import Beta, Laplace, Normal, StudentT, Uniform

from flowlib import assets, base, scalar
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.base import StandardNormal
from flowlib.bijection import Bijection, Chain, Inverse
from flowlib.continuous import Continuous, VelocityMLP
from flowlib.coupling import Coupling
from flowlib.course.pages.live.export import flow_spec
from flowlib.flow import Flow
from flowlib.linear import ActNorm, Linear, Permutation
from flowlib.mixtures import LogisticMixtureTransformer
from flowlib.models import CNF, IAF, MAF, NSF, Glow, PlanarFlow, RadialFlow, RealNVP
from flowlib.nets import MLP
from flowlib.planar import Planar, Radial, Sylvester
from flowlib.scalar import (
    Affine,
    AffineToZ,
    AffineTransformer,
    Elementwise,
    Exp,
    LeakyReLU,
    MixtureCDF,
    Sigmoid,
)
from flowlib.splines import CircularSplineTransformer, SplineTransformer
from tests.conftest import HOUSE

POINTS = 1000
TOLERANCE = 1e-4
SCRIPT = HOUSE / "flowlib" / "course" / "pages" / "live" / "flow.js"
CIRCLE = CircularSplineTransformer(bins=5)
ODD = torch.tensor([True, False, False])


def on_normal(*layers: Bijection, dim: int = 3) -> Flow:
    return Flow(Chain(*layers), StandardNormal(dim))


def net(stay: int, outputs: int, **options) -> MLP:
    return MLP(stay, outputs, (10, 7), zero_start=False, **options)


def made(dim: int, transformer: scalar.Transformer, hidden=(9, 11), **options) -> MaskedAutoregressive:
    return MaskedAutoregressive(dim, hidden, transformer, zero_start=False, **options)


def velocity(dim: int, hidden=(10, 7), **options) -> Continuous:
    activation = options.pop("activation", "tanh")
    return Continuous(VelocityMLP(dim, hidden, activation=activation), **options)


# Every layer, transformer and base that flow.js knows, in odd sizes.
LAYERS = {
    "affine": lambda: on_normal(Affine(torch.tensor([1.0, 0.0, -2.0]), torch.tensor([2.0, -0.5, 3.0]))),
    "exp": lambda: on_normal(Exp()),
    "log": lambda: on_normal(Exp(), Affine(1.0, 2.0), Inverse(Exp())),
    "sigmoid and back": lambda: on_normal(Sigmoid(), Inverse(Sigmoid()), Sigmoid()),
    "leaky relu": lambda: on_normal(LeakyReLU(0.2)),
    "linear": lambda: on_normal(Linear.from_matrix(torch.randn(3, 3), torch.randn(3)), Linear(3, bias=False)),
    "permutation": lambda: on_normal(Permutation([2, 0, 1])),
    "actnorm": lambda: on_normal(ActNorm(3)),
    "planar": lambda: on_normal(*(Planar(3) for _ in range(4))),
    "inverse planar": lambda: on_normal(Inverse(Planar(2)), Inverse(Chain(Planar(2), Affine(1.0))), dim=2),
    "planar that gives up its u": lambda: on_normal(steep_planar(), dim=2),
    "radial": lambda: on_normal(Radial(3), Inverse(Radial(3))),
    "mixture cdf": lambda: Flow(Inverse(MixtureCDF(3)), Uniform(0.0, 1.0)),
    "mixture cdf, forward": lambda: Flow(MixtureCDF(3), StandardNormal(())),
    "splines alone": lambda: on_normal(Elementwise(SplineTransformer(6, bound=3.0), (3,))),
    "affine coupling": lambda: on_normal(Coupling(3, ODD, net(1, 4), AffineTransformer())),
    "affine coupling to z": lambda: on_normal(Coupling(3, ~ODD, net(2, 2, activation=nn.Tanh), AffineToZ())),
    "linear conditioner": lambda: on_normal(Coupling(3, ODD, MLP(1, 4, (), zero_start=False), AffineToZ())),
    "spline coupling": lambda: on_normal(Coupling(3, ODD, net(1, 2 * 14), SplineTransformer(5, bound=2.0))),
    "circular coupling": lambda: Flow(
        Coupling(3, ODD, net(1, 2 * 16, period=2 * torch.pi), CIRCLE), base.UniformAngles(3)
    ),
    "no shift, another period": lambda: Flow(
        Coupling(
            2, [True, False], net(1, 12, period=3.0), CircularSplineTransformer(4, period=3.0, shift=False)
        ),
        base.UniformAngles(2, period=3.0),
    ),
    "made": lambda: on_normal(made(3, AffineTransformer(), order=(2, 0, 1))),
    "made, one variable": lambda: on_normal(made(1, AffineToZ()), dim=1),
    "made, few units": lambda: on_normal(made(4, AffineToZ(), (3, 8)), dim=4),
    "made of splines": lambda: on_normal(made(3, SplineTransformer(5))),
    "made of angles": lambda: Flow(made(3, CIRCLE, order=(1, 2, 0)), base.UniformAngles(3)),
    "iaf": lambda: on_normal(Inverse(made(3, AffineTransformer()))),
    "ode": lambda: on_normal(velocity(3, steps=3)),
    "ode by euler": lambda: on_normal(velocity(2, method="euler", steps=5, activation="softplus"), dim=2),
    "inverse ode by midpoint": lambda: on_normal(Inverse(velocity(2, method="midpoint")), dim=2),
    "diagonal normal": lambda: Flow(Affine(1.0, 2.0), base.DiagonalNormal(3)),
    "student": lambda: Flow(Affine(1.0, 2.0), base.StudentT(3, df=2.5)),
    "any normal": lambda: Flow(Affine(1.0, 2.0), Normal(torch.ones(3), torch.tensor([1.0, 2.0, 0.5]))),
    "any student": lambda: Flow(Affine(1.0, 2.0), StudentT(torch.tensor([3.0, 0.7]), 1.0, 2.0)),
    "beta": lambda: Flow(Inverse(MixtureCDF(4)), Beta(2.0, 5.0)),
    "uniform": lambda: Flow(Affine(1.0, 2.0), Uniform(torch.zeros(2), torch.tensor([1.0, 3.0]))),
}
MODELS = {
    "PlanarFlow": lambda: PlanarFlow(2, 8),
    "PlanarFlow for densities": lambda: PlanarFlow(2, 8, cheap="density"),
    "RadialFlow": lambda: RadialFlow(2, 8),
    "RealNVP": lambda: RealNVP(5),
    "RealNVP of angles": lambda: RealNVP(2, 4, transformer=CircularSplineTransformer()),
    "NSF": lambda: NSF(3),
    "MAF": lambda: MAF(4),
    "MAF of splines": lambda: MAF(3, 2, transformer="spline"),
    "IAF": lambda: IAF(4),
    "CNF": lambda: CNF(2),
}
STORED = {
    "03_planar_flows/two_moons": lambda: PlanarFlow(2, 32, cheap="density"),
    "03_planar_flows/U2": lambda: PlanarFlow(2, 32),
    "04_realnvp/shared_target": lambda: RealNVP(2),
    "04_realnvp/checkerboard_spline": lambda: NSF(2),
    "04_realnvp/diamonds": lambda: RealNVP(7),
    "06_autoregressive/shared_target": lambda: MAF(2, transformer=AffineTransformer()),
    "06_autoregressive/shared_target_iaf": lambda: IAF(2, transformer=AffineTransformer()),
    "06_autoregressive/diamonds": lambda: MAF(7, 7, transformer=AffineTransformer()),
    "07_continuous/straight": lambda: CNF(2, steps=4),
    "07_continuous/rings": lambda: CNF(2, (96, 96), steps=8),
    "08_splines_and_mixtures/shared_target": lambda: MAF(2, 2, transformer=SplineTransformer(bound=10.0)),
}


def steep_planar() -> Planar:
    layer = Planar(2)
    with torch.no_grad():
        layer.u.copy_(-9 * layer.w)  # w.u far below -1
    return layer


def shaken(build, seed: int = 0) -> Flow:
    """A flow whose weights are random numbers that do something, in double precision."""
    torch.manual_seed(seed)
    flow = build()
    with torch.no_grad():
        for parameter in flow.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return flow.double().eval()


def stored(name: str) -> Flow:
    lesson, part = name.split("/")
    return assets.load_weights(STORED[name](), lesson, part).double().eval()


@pytest.fixture(scope="module")
def sheet(browser):
    """A page with nothing but flow.js."""
    page = browser.new_page()
    page.add_script_tag(path=SCRIPT)
    yield page
    page.close()


COMPUTE = """([spec, z, x, n]) => {
    const flow = Flow.build(JSON.parse(spec)), plain = values => Array.from(values);
    const forward = flow.forward(z, n), inverse = flow.inverse(x, n), again = flow.inverse(forward.points, n);
    return {
        x: plain(forward.points), logDet: plain(forward.logDet),
        z: plain(inverse.points), logDetInverse: plain(inverse.logDet),
        logProb: plain(flow.logProb(x, n)), again: plain(again.points), back: plain(again.logDet),
        names: flow.path(z, n).map(stop => stop.name),
    };
}"""


@torch.no_grad()
def compare(sheet, flow: Flow) -> None:
    generator = torch.Generator().manual_seed(1)
    z, x = flow.base.sample(POINTS, generator=generator), flow.sample(POINTS, generator=generator)
    found = sheet.evaluate(
        COMPUTE, [json.dumps(flow_spec(flow)), z.flatten().tolist(), x.flatten().tolist(), POINTS]
    )
    stops = flow.path(z)
    wanted = {"x": stops[-1].value, "logDet": stops[-1].log_det, "logProb": flow.log_prob(x)}
    wanted["z"], wanted["logDetInverse"] = flow.bijection.inverse(x)
    wanted["again"], wanted["back"] = flow.bijection.inverse(stops[-1].value)  # there and back
    for name, values in wanted.items():
        ours = torch.tensor(found[name], dtype=torch.float64)
        # The error of a number far from 0 counts as a share of it.
        error = ((ours - values.flatten()).abs() / (1 + values.flatten().abs())).max().item()
        assert error <= TOLERANCE, f"{name}: off by {error:.2g}"
    assert found["names"] == [stop.name for stop in stops]


@pytest.mark.parametrize("name", [*LAYERS, *MODELS])
def test_random_weights(sheet, name):
    compare(sheet, shaken((LAYERS | MODELS)[name]))


@pytest.mark.parametrize("name", STORED)
def test_stored_weights(sheet, name):
    compare(sheet, stored(name))


def test_a_solver_shows_its_steps(sheet):
    """`trajectory` stops where flowlib's solver stops after each of its steps."""
    flow = stored("07_continuous/straight")
    z = flow.base.sample(50, generator=torch.Generator().manual_seed(0))
    told = """([spec, z]) => Flow.build(JSON.parse(spec)).layers[0].trajectory(z, 50)
        .map(stop => [Array.from(stop.points), Array.from(stop.logDet)])"""
    stops = sheet.evaluate(told, [json.dumps(flow_spec(flow)), z.flatten().tolist()])
    assert len(stops) == 1 + flow.bijection.step_count
    one = Continuous(flow.bijection.net, steps=1)
    point, log_det = z, torch.zeros(50, dtype=torch.float64)
    for step, stop in enumerate(stops):
        points, log_dets = (torch.tensor(values, dtype=torch.float64) for values in stop)
        assert torch.allclose(points.view(50, 2), point, atol=1e-5)
        assert torch.allclose(log_dets, log_det, atol=1e-5)
        point, term, _ = one.integrate(point, None, step / 4, (step + 1) / 4)
        log_det = log_det + term


BY_HAND = {
    "affine": ("Flow.affine({scale: [2, -0.5], shift: 1})", Affine(1.0, torch.tensor([2.0, -0.5]))),
    "linear": (
        "Flow.linear({matrix: [[0, 2], [1, 0.5]], shift: [1, -1]})",
        Linear.from_matrix(torch.tensor([[0.0, 2.0], [1.0, 0.5]]), torch.tensor([1.0, -1.0])),
    ),
    "leaky relu": ("Flow.leakyReLU({slope: 0.3})", LeakyReLU(0.3)),
    "inverse": ("Flow.invert(Flow.exp())", Inverse(Exp())),
    "permutation": ("Flow.permutation({order: [1, 0]})", Permutation([1, 0])),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_layers_made_by_hand(sheet, name):
    script, layer = BY_HAND[name]
    z = 0.1 + torch.rand(7, 2, generator=torch.Generator().manual_seed(0)).double()
    layer = layer.double()
    for way, wanted in (("forward", layer(z)), ("inverse", layer.inverse(z))):
        found = sheet.evaluate(
            f"z => {{const f = {script}.{way}(Float64Array.from(z), 7);"
            " return [Array.from(f.points), Array.from(f.logDet)]}",
            z.flatten().tolist(),
        )
        for ours, theirs in zip(found, wanted, strict=True):
            assert torch.allclose(torch.tensor(ours, dtype=torch.float64), theirs.flatten(), atol=1e-6)


def test_a_spline_leads_through_its_knots(sheet):
    """Value and slope at the knots are those given; outside nothing moves."""
    points, log_det = sheet.evaluate("""() => {
        const knots = {widths: [4, 2], heights: [1, 5], slopes: [4, 0.5, 4], bound: 3};
        const {points, logDet} = Flow.spline(knots).inverse(Float64Array.of(-3, 1, 3, -5), 4);
        return [Array.from(points), Array.from(logDet)];
    }""")
    assert points == pytest.approx([-3, -2, 3, -5])
    assert log_det == pytest.approx(torch.tensor([4.0, 0.5, 4.0, 1.0]).log().tolist())


@pytest.mark.parametrize("name", ["diagonal normal", "student", "beta", "uniform", "made of angles"])
def test_bases_draw_what_they_score(sheet, name):
    """Quantiles of 20,000 draws of the first variable agree with flowlib's draws; draws repeat."""
    flow, n = shaken(LAYERS[name]), 20_000
    told = "([spec, n]) => Array.from(Flow.build(JSON.parse(spec)).base.sample(n, Flow.random(1)))"
    first, again = (sheet.evaluate(told, [json.dumps(flow_spec(flow)), n]) for _ in range(2))
    assert first == again
    with torch.no_grad():
        theirs = flow.base.sample(n, generator=torch.Generator().manual_seed(0)).reshape(n, -1)[:, 0]
    ours = torch.tensor(first, dtype=torch.float64).view(n, -1)[:, 0]
    levels = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    spread = theirs.quantile(0.9) - theirs.quantile(0.1)
    assert ((ours.quantile(levels) - theirs.quantile(levels)).abs() < 0.04 * spread).all()


def test_normals_are_normal(sheet):
    values = torch.tensor(sheet.evaluate("Array.from(Flow.normals(40_000, 3))"), dtype=torch.float64)
    assert abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.02
    assert abs((values**4).mean() - 3) < 0.2


REFUSED = {
    "context": (lambda: RealNVP(2, context=3), "no context"),
    "images": (lambda: Glow((1, 4, 4), levels=1, steps=1), "not events of shape"),
    "sylvester": (lambda: on_normal(Sylvester(3)), "no layer Sylvester"),
    "mixture of logistics": (
        lambda: RealNVP(2, transformer=LogisticMixtureTransformer()),
        "no transformer LogisticMixtureTransformer",
    ),
    "mixture of three variables": (lambda: on_normal(MixtureCDF(2, (3,))), "3 variables"),
    "another activation": (lambda: RealNVP(2, activation=nn.GELU), "no activation GELU"),
    "another net": (lambda: on_normal(Coupling(3, ODD, nn.Linear(1, 4), AffineToZ())), "whose net is an MLP"),
    "an adaptive solver": (lambda: CNF(2, method="dopri5"), "dopri5"),
    "hutchinson": (lambda: CNF(2, trace="hutchinson"), "hutchinson"),
    "a deep velocity": (lambda: CNF(2, (8, 8, 8)), "two hidden layers"),
    "mixture base": (lambda: Flow(Exp(), base.MixtureNormal(2)), "no base MixtureNormal"),
    "another distribution": (lambda: Flow(Exp(), Laplace(torch.zeros(2), torch.ones(2))), "no base Laplace"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_page_does_not_know_is_refused(name):
    build, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        flow_spec(build())


def test_the_page_says_what_it_does_not_know(sheet):
    said = sheet.evaluate("""() => {
        try { Flow.build({base: {kind: "normal", dim: 2}, layers: [{kind: "glow"}]}); }
        catch (error) { return error.message; }
    }""")
    assert said.startswith('flow.js knows no layer "glow", only: affine, exp')


def test_flow_js_stays_small():
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= 700
