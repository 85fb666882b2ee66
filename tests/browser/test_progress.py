"""What a reader's browser keeps of the course: read, opened, scored; shown on the first page, and erased."""

from __future__ import annotations

import json

import pytest

from flowlib.course.folders import lesson_names
from flowlib.course.pages.front import KINDS
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(600)
LESSON = lesson_names(HOUSE)[0]
MANY = len(lesson_names(HOUSE))


def kept(page):
    return json.loads(page.evaluate("localStorage.getItem('flowcourse')"))


def index_says(page):
    return page.locator(".progress[data-kind=all] p").inner_text()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_progress_is_kept_shown_and_erased(page, site, scheme):
    folder, served = site
    base = served if scheme == "http" else folder.as_uri()
    page.goto(f"{base}/index.html")
    assert "will stand here" in index_says(page) and not page.get_by_role("button", name="Erase").is_visible()
    assert ("Opened from a file" in page.locator(".progress[data-kind=all]").inner_text()) == (
        scheme == "file"
    )

    page.goto(f"{base}/lessons/{LESSON}/lesson.html")
    questions = page.locator("#check-yourself > details")
    assert questions.count() == 5, "progress.js counts five"
    for number in (3, 0, 3):
        questions.nth(number).locator("summary").click()
    assert "2 of 5" in page.locator(".progress-count").inner_text()
    page.get_by_label("I have read this lesson").check()
    page.reload()
    assert page.get_by_label("I have read this lesson").is_checked()
    assert "2 of 5" in page.locator(".progress-count").inner_text()

    page.goto(f"{base}/lessons/{LESSON}/exercises.html")
    points = page.get_by_label("My points")
    points.fill("16.5")
    points.fill("25")  # of 20: said, and not kept
    assert "Between 0 and 20" in page.locator(".progress").inner_text()
    assert kept(page) == {LESSON: {"read": True, "opened": [0, 3], "points": 16.5}}

    page.goto(f"{base}/index.html")
    assert f"read 1 of {MANY} lessons and have 16.5 of" in index_says(page)
    assert page.locator(".doors.first a").first.inner_text().startswith("Go on with Lesson 2 ")
    card = page.locator(f".progress[data-kind=card][data-lesson='{LESSON}']")
    assert card.inner_text() == "✓ read · 2 of 5 answers opened · 16.5 of 20 points"
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Erase").click()
    assert "read 1 of" in index_says(page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Erase").click()
    assert "will stand here" in index_says(page) and not card.inner_text()
    assert page.evaluate("localStorage.length") == 0 and not page.errors


def test_a_browser_that_keeps_nothing_is_told_so(page, site):
    folder, _ = site
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('no', 'QuotaExceededError') }"
    )
    page.goto((folder / "index.html").as_uri())
    assert "This browser keeps nothing" in page.locator(".progress[data-kind=all]").inner_text()
    page.goto((folder / "lessons" / LESSON / "lesson.html").as_uri())
    page.get_by_label("I have read this lesson").check()
    assert "This browser keeps nothing" in page.locator(".progress").inner_text()
    assert not page.errors


def test_what_others_left_under_the_same_name_breaks_nothing(page, site):
    folder, _ = site
    page.goto((folder / "index.html").as_uri())
    for left in ("[", "7", "null", json.dumps({LESSON: {"points": 3}}), json.dumps({LESSON: 7})):
        page.evaluate("words => localStorage.setItem('flowcourse', words)", left)
        page.reload()
        assert index_says(page)
        page.goto((folder / "lessons" / LESSON / "lesson.html").as_uri())
        page.goto((folder / "index.html").as_uri())
    assert not page.errors


# ---------------------------------------------------------------------------- pictures that move


def test_pictures_stop_when_asked_and_where_nothing_shall_move(browser, site):
    folder, _ = site
    shown = "document.querySelector('#lessons picture img').currentSrc.slice(-4)"
    for motion, endings in {
        "no-preference": [".gif", ".png", ".gif"],
        "reduce": [".png", ".gif", ".png"],
    }.items():
        context = browser.new_context(reduced_motion=motion)
        page = context.new_page()
        page.goto((folder / "index.html").as_uri())
        button = page.locator("#lessons .moving .stop").first
        found = []
        for _ in endings:
            page.wait_for_function("document.querySelector('#lessons picture img').complete")
            found.append(page.evaluate(shown))
            button.click()
        assert found == endings
        context.close()


def test_pages_fit_a_phone(browser, site):
    folder, _ = site
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    lessons = [f"lessons/{lesson}/{kind}" for lesson in lesson_names(HOUSE) for kind in KINDS]
    for name in ["index", "further-reading", "glossary", "reference/flow", *lessons]:
        page.goto((folder / f"{name}.html").as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} pixels wide"
    context.close()
