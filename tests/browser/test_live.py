"""Live figures on the pages of the site: from end to end, in the dark, on a telephone, by keyboard."""

from __future__ import annotations

import pytest

from flowlib.course.folders import lesson_names
from flowlib.course.pages.live.figures import figures
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(600)
ALIVE = [name for name in lesson_names(HOUSE) if figures(name)]

# Every control to each of its ends; what a figure then says.
DRAG = """
() => Live.mounted.flatMap((figure) => figure.spec.controls.flatMap((c) => {
  const rest = figure.values[c.name];
  const place = (at) => (c.power ? c.power ** at : at);
  const ends = typeof c.value === "boolean" ? [true, false] : c.options ?? [place(c.min), place(c.max)];
  const said = ends.map((end) => {
    figure.moved({ [c.name]: end });
    figure.draw();
    return `${c.name} = ${end}: ${figure.stage.getAttribute("aria-label")}`;
  });
  figure.moved({ [c.name]: rest });
  return said;
}))
"""
DRAWN = "() => Live.mounted.every((figure) => figure.panels.every((panel) => panel.width))"


@pytest.mark.parametrize("lesson", ALIVE)
def test_figures_live_on_every_page_in_the_dark_on_a_telephone(browser, site, lesson):
    folder, _ = site
    context = browser.new_context(color_scheme="dark", viewport={"width": 390, "height": 800})
    page = context.new_page()
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    shown = set()
    for kind in ("demo", "lesson"):
        page.goto((folder / "lessons" / lesson / f"{kind}.html").as_uri())
        page.wait_for_function(DRAWN)
        names = page.evaluate("Live.mounted.map((figure) => figure.root.dataset.live)")
        assert len(names) == page.locator("[data-live]").count() == len(set(names)), kind
        shown |= set(names)
        for said in page.evaluate(DRAG):
            assert not any(word in said for word in ("NaN", "undefined", "Infinity", "null")), said
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, kind
        assert page.locator(".tag_still:visible").count() == 0, "a still stands beside its live figure"
    assert shown == figures(lesson)
    assert not errors
    assert all(url.startswith(("file:", "data:")) for url in asked)
    context.close()


def test_a_figure_is_moved_by_keyboard_and_by_hand_and_says_what_it_shows(page, site):
    folder, _ = site
    page.goto((folder / "lessons/02_affine_maps/demo.html").as_uri())
    figure = page.locator("[data-live=ellipse-slider]")
    figure.scroll_into_view_if_needed()
    slider = figure.get_by_label("right")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function("() => Live.mounted[1].values.right === 3")
    said = figure.locator("[aria-live]")
    page.wait_for_function("() => Live.mounted[1].words.textContent === Live.mounted[1].headline.textContent")
    assert said.inner_text() == figure.locator(".live-headline").inner_text()
    box = figure.locator(".live-box").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # the centre follows the hand
    page.wait_for_function("() => Math.abs(Live.mounted[1].values.right - 2) < 0.8")
    assert abs(float(slider.input_value()) - 2) < 0.8


NUMBERS = [  # what the demos' answers say
    ("01_change_of_variables", "affine-slider", {"a": 2, "b": 1}, "peak 0.20"),
    ("02_affine_maps", "ellipse-slider", {"wide": 3**0.5, "tall": 2, "right": 1}, "0.549 nats"),
    ("04_realnvp", "temperature-slider", {"tau": 0.4}, "99% on dark, 7 of 8"),
    ("04_realnvp", "temperature-slider", {"tau": 2}, "59% on dark"),
    ("05_glow", "count-slider", {"side": 4}, "= +14.40"),
    ("05_glow", "temperature-slider", {"tau": 0.7}, "2.02 bits/dim"),
    ("06_autoregressive", "masks-slider", {"greater_or_equal": True}, "5 of them forbidden"),
    ("06_autoregressive", "net-slider", {"step": 8}, "1,104 by the whole net, 138 with"),
    ("06_autoregressive", "order-slider", {"order": "x₂ first", "line": 1}, "misses 0.00"),
    ("07_continuous", "drift-end", {}, "t = 1.00"),
    ("07_continuous", "solver-slider", {"steps": 4}, "1.50 nats, mass 1.40"),
    ("07_continuous", "solver-straight", {}, "1.41 nats"),
    ("07_continuous", "trace-slider", {"off": 0}, "0.00 (±1)"),
    ("08_splines_and_mixtures", "pieces-slider", {"count": 40}, "0.002 nats"),
    ("08_splines_and_mixtures", "ends-slider", {"ends": 4}, "0.518 inside, 0.130 outside"),
]


@pytest.mark.parametrize("lesson, name, values, words", NUMBERS)
def test_figures_show_the_numbers_of_the_answers(page, site, lesson, name, values, words):
    folder, _ = site
    page.goto((folder / "lessons" / lesson / "demo.html").as_uri())
    page.wait_for_function(DRAWN)
    say = """([name, values]) => {
      const figure = Live.mounted.find((made) => made.root.dataset.live === name);
      figure.moved(values);
      figure.draw();
      return figure.headline.textContent;
    }"""
    assert words in page.evaluate(say, [name, values])
