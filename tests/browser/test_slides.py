"""All slides of all decks, in a lecture hall's resolution: full, readable, alive, and without a network."""

from __future__ import annotations

import json
import re

import pytest

from flowlib.course.folders import lesson_names
from flowlib.course.pages.live.figures import figures
from flowlib.course.pages.slides import make_slides
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(600)
DEMOS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "demo.ipynb").is_file()]
HALL = {"width": 1280, "height": 720}

# What a slide looks like. Boxes of text, figure frames and controls are found on a grid of points.
LOOK = """
() => {
  const BOXES = "h1, h2, p, li, table, pre, img, .live-box, .live-title, .live-slider, .live-play, fieldset";
  const slide = Reveal.getCurrentSlide();
  let hits = 0, points = 0;
  for (let y = 8; y < 720; y += 16)
    for (let x = 8; x < 1280; x += 16) {
      points += 1;
      hits += document.elementsFromPoint(x, y).some((e) => slide.contains(e) && e.matches(BOXES));
    }
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const outside = [], small = [];
  for (const e of slide.querySelectorAll(BOXES + ", mjx-container, svg text, .live-headline, output")) {
    if (!shown(e) || e.closest("aside, .live-say")) continue;
    const { left, right, top, bottom } = e.getBoundingClientRect();
    const words = (e.textContent || e.alt || "").trim().slice(0, 40);
    const holder = e.closest(".live-box, .words, .live-slider") ?? document.body;
    const frame = holder.getBoundingClientRect();
    const held = left >= frame.left - 2 && right <= frame.right + 2;
    if (!held || left < 0 || right > 1280 || top < 0 || bottom > 720) outside.push(`${e.tagName} ${words}`);
  }
  const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const words = walker.currentNode.data.trim();
    if (!words || e.closest("aside, .live-say, mjx-container")) continue;
    if (shown(e) && parseFloat(getComputedStyle(e).fontSize) < 24) small.push(words);
  }
  const live = [...slide.querySelectorAll("[data-live]")].map((e) => e.dataset.live);
  return { title: Boolean(slide.querySelector("h1")), cover: hits / points, outside, small, live };
}
"""
BLANK = """
() => [...Reveal.getCurrentSlide().querySelectorAll(".live-box canvas")].some((canvas) =>
  !canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value))
"""


def cells(lesson: str) -> list[dict]:
    return json.loads((HOUSE / "lessons" / lesson / "demo.ipynb").read_text(encoding="utf-8"))["cells"]


def walk(page):
    """Every state of a deck: each slide, and each fragment on it."""
    while True:
        page.wait_for_timeout(60)  # figures are drawn at the next frame
        place = page.evaluate("JSON.stringify(Reveal.getIndices())")
        yield place
        page.evaluate("Reveal.next()")
        if page.evaluate("JSON.stringify(Reveal.getIndices())") == place:
            return


@pytest.fixture(scope="module")
def decks():
    """The decks, each built once."""
    made: dict[str, str] = {}

    def build(lesson: str) -> str:
        if lesson not in made:
            made[lesson] = make_slides(HOUSE, lesson).as_uri()
        return made[lesson]

    return build


def open_deck(page, address: str) -> None:
    page.set_viewport_size(HALL)
    page.goto(address)
    page.wait_for_selector(".reveal.ready", timeout=30_000)
    page.evaluate("MathJax.startup.promise")
    page.add_style_tag(content=".reveal * { transition: none !important; }")


@pytest.mark.parametrize("lesson", DEMOS)
def test_every_slide_is_full_and_readable_and_alive(page, decks, lesson):
    open_deck(page, decks(lesson))
    sliders = [cell["id"] for cell in cells(lesson) if cell["id"].endswith("-slider")]
    seen = []
    for place in walk(page):
        look = page.evaluate(LOOK)
        assert look["title"] or look["cover"] >= 0.4, f"{place}: {look['cover']:.0%} is used"
        assert not look["outside"], f"{place}: {look['outside']}"
        assert not look["small"], f"{place}: smaller than 18 pt: {look['small']}"
        if look["live"]:
            assert not page.evaluate(BLANK), f"{place}: a panel of {look['live']} is empty"
        seen += look["live"]
    assert set(sliders) <= set(seen) & figures(lesson), "a slide with sliders has no live figure"
    assert not page.errors
    assert all(url.startswith(("file:", "data:")) for url in page.requests)
    for picture in page.locator("img").all():
        assert len(picture.get_attribute("alt") or "") >= 6


def test_keys_play_and_answer(page, decks):
    """As a lecturer does it: play, a slider by keyboard, the answer, and on with a presenter's remote."""
    open_deck(page, decks("01_change_of_variables"))
    assert page.locator("section.present h1").is_visible()
    page.keyboard.press("ArrowRight")
    slide = page.locator("section.present")
    headline = slide.locator(".live-headline")
    before = headline.inner_text()
    slide.locator(".live-play").click()
    page.wait_for_function("old => Live.mounted[0].headline.textContent !== old", arg=before)
    slide.locator(".live-play").click()
    assert slide.locator(".live-play").inner_text().endswith("Play")
    slider = slide.locator("input[name=a]")
    slider.focus()
    at = float(slider.input_value())
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(at + 0.1)
    page.wait_for_function("words => Live.mounted[0].words.textContent.startsWith(words)", arg="x = ")
    page.keyboard.press("Escape")
    assert slide.locator(".question").is_visible()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("section.present .answer.visible")
    assert "x = 2.0 z +1.0" in headline.inner_text()
    assert slide.locator(".question").evaluate("e => getComputedStyle(e).visibility") == "hidden"
    slider.focus()
    page.keyboard.press("PageDown")
    page.wait_for_function("Reveal.getIndices().h === 2")
    assert not page.errors


def test_the_speaker_has_a_window_with_notes_and_minutes(page, decks):
    lesson = "01_change_of_variables"
    open_deck(page, decks(lesson))
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    window = opened.value
    page.keyboard.press("ArrowRight")
    spoken = next(cell for cell in cells(lesson) if cell["id"] == "affine-speaker")
    window.wait_for_function(
        "title => document.querySelector('h2').textContent.startsWith(title)", arg="Stretch"
    )
    text = window.inner_text("body")
    point = re.search(r"The point: [\w ]+", "".join(spoken["source"])).group(0)
    assert point in text
    assert "Planned: minute" in text and "Next: " in text
    window.keyboard.press("ArrowRight")  # its arrows turn the deck, too
    page.wait_for_selector("section.present .answer.visible")
    assert not page.errors
