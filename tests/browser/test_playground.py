"""The playground in a browser: it computes what flowlib computes, and answers to everybody."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from flowlib.course.pages.live import playground
from tests.browser.conftest import serious_faults
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(300)

BOTH = [f"{target}.{flow}" for target in playground.TARGETS for flow in playground.KINDS]
POINT = [0.3, -0.4]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "playground.html"
    path.write_text(playground.make_page(HOUSE), encoding="utf-8")
    return path.as_uri()


TRY = """async ([name, point]) => {
    const [target, flow] = name.split(".");
    Playground.choose({target, flow});
    const depth = document.getElementById("depth"), canvas = document.querySelector("#stage canvas");
    const drawn = () => new Promise(done => document.body.addEventListener("drawn", done, {once: true}));
    const at = async (layers) => {
        depth.value = layers;
        depth.dispatchEvent(new Event("input"));
        await drawn();
        return canvas.toDataURL();
    };
    while (!Playground.points().done) await new Promise(done => setTimeout(done, 5));
    const pictures = [await at(0), await at(depth.max / 2), await at(depth.max)];
    Playground.pick(point, Number(depth.max));
    await drawn();
    const way = Playground.way();
    return {
        pictures: new Set(pictures).size,
        sum: way.base + way.gains.reduce((a, b) => a + b),
        logProb: Playground.flowOf().logProb(point, 1)[0],
    };
}"""


def test_every_flow_moves_and_a_clicked_point_adds_up(page, address):
    page.goto(address)
    for name in BOTH:
        found = page.evaluate(TRY, [name, POINT])
        assert found["pictures"] == 3, f"{name}: the depth changes nothing"
        assert abs(found["sum"] - found["logProb"]) < 1e-6, name
        expected = playground.trained(name).log_prob(torch.tensor([POINT])).item()
        assert abs(found["logProb"] - expected) < 1e-4 * max(1, abs(expected)), name
    assert not page.errors
    assert page.requests == [address]


def test_a_step_of_the_solver_is_a_layer():
    whole = playground.KINDS["cnf"]()
    playground.load_weights(whole, "playground", "moons.cnf")
    x = torch.tensor([POINT, [1.0, 1.0]])
    torch.testing.assert_close(playground.trained("moons.cnf").log_prob(x), whole.log_prob(x))


@pytest.mark.parametrize("name", playground.TARGETS)
def test_a_target_has_the_density_that_its_points_have(name):
    """Its mass is 1, and the mean of log p over its draws is minus its entropy, computed on a grid."""
    target = playground.TARGETS[name]
    steps = torch.arange(-6, 6, 0.05, dtype=torch.float64) + 0.025
    log_prob = target.log_prob(torch.cartesian_prod(steps, steps))
    density = log_prob.exp() * 0.05**2
    assert abs(density.sum() - 1) < 2e-3
    scores = target.log_prob(target.sample(4_000, 3))
    entropy = -(density * log_prob.clamp(min=-700)).sum()
    assert abs(scores.mean() + entropy) < 4 * scores.std() / 4_000**0.5 + 2e-3


def test_a_bridge_is_found_at_its_thinnest_place(page, address):
    """Where the density is above that of the place, the two moons are two islands; a little lower, one."""
    page.goto(address)
    page.get_by_label("NSF").check(force=True)
    # In one go: the search may be over before the next question.
    said = "document.getElementById('bridge').click(); document.getElementById('sum').textContent"
    assert "Searching" in page.evaluate(said)
    page.wait_for_function("Playground.state.bridge")
    found = torch.tensor([page.evaluate("Playground.state.pick")])
    flow, centres = playground.trained("moons.nsf"), playground.centres_of_cells()
    with torch.no_grad():
        height = flow.log_prob(torch.cartesian_prod(centres, centres).float()).reshape(90, 90).numpy()
        level = flow.log_prob(found).item()
    parts = [tuple(int((x + 4) / 8 * 90) for x in part) for part in playground.TARGETS["moons"].parts]

    def are_one(level):
        islands, _ = ndimage.label(height >= level)
        return islands[parts[0]] == islands[parts[1]]

    assert are_one(level - 0.01) and not are_one(level + 0.01)


# Of the four laws in their order: there and back, log-determinant, mass, every coordinate.
HOLD = {
    "sign": [True, False, False, True],
    "order": [False, True, True, True],
    "fold": [False, True, False, True],
    "turns": [True, True, True, False],
    "count": [True, False, False, True],
    "mask": [False, False, False, True],
    "none": [True, True, True, True],
    "coarse": [False, False, False, True],
    "tail": [True, False, False, True],
}


def test_laws_catch_every_broken_flow_and_no_healthy_one(page, address):
    page.goto(address)
    laws = """flow => {
        const found = [], steps = Ward.examine(flow, (name, holds) => found.push(holds));
        while (!steps.next().done);
        return found;
    }"""
    names = page.evaluate("Object.keys(Ward.PATIENTS)")
    found = {name: page.evaluate(f"({laws})(Ward.flowOf('{name}'))") for name in names}
    assert found == HOLD
    for healthy in BOTH:
        assert all(page.evaluate(f"({laws})(Flow.build(Playground.data().specs['{healthy}']))")), healthy


def test_a_patient_is_diagnosed_and_told(page, address):
    page.goto(address)
    page.get_by_role("button", name="Flow 2").click()
    page.get_by_label("The log-determinant enters with the wrong sign.").check()
    assert page.locator("#verdict").inner_text().startswith("Not quite:")
    page.get_by_role("button", name="Run the laws").click()
    page.wait_for_function("document.querySelectorAll('#results tbody tr').length === 4")
    assert page.locator("#results .broken").count() == 1
    page.get_by_label("One of the two directions runs its steps in the wrong order.").check()
    assert page.locator("#verdict").inner_text().startswith("Right:")
    assert "reversed(layers)" in page.locator("#verdict code").inner_text()


def test_a_keyboard_goes_from_layer_to_layer(page, address):
    page.emulate_media(reduced_motion="reduce")
    page.goto(address)
    page.locator("#depth").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Playground.state.depth") == 2
    page.get_by_label("MAF").check(force=True)
    depth = page.evaluate("Playground.state.depth")
    assert depth == 1, "another flow stays about where a person has stopped: 2 of 24 layers, 1 of 6"
    page.locator("#depth").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Playground.state.depth") == depth + 0.5, "a MAF stops after one coordinate, too"
    assert "First half" in page.locator("#caption").inner_text()
    page.get_by_label("x₁").fill("0.5")
    page.wait_for_function("document.getElementById('sum').textContent.includes('log p(x)')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_of_the_playground(browser, address, axe, scheme):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Tell me").click()
    assert not serious_faults(page, axe)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
