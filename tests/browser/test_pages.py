"""The site and the slides, in a browser: complete without a network, and for everybody to use."""

from __future__ import annotations

import re
import shutil

import pytest

from flowlib.course.folders import lesson_names
from flowlib.course.pages import reference
from flowlib.course.pages.site import PAPERS, make_site
from tests.browser.conftest import serious_faults
from tests.conftest import HOUSE

pytestmark = pytest.mark.timeout(600)


def addresses(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*.html") if "_static" not in path.parts
    )


def test_pages_load_from_files_alone_and_without_errors(page, site):
    folder, _ = site
    for address in addresses(folder):
        page.goto((folder / address).as_uri(), wait_until="load")
        assert not page.errors, f"{address}: {page.errors}"
    elsewhere = [url for url in page.requests if not url.startswith((folder.as_uri(), "data:"))]
    assert not elsewhere, f"the site asks for {elsewhere[:3]}"


def test_formulas_are_set_and_citations_lead_to_them(page, site):
    folder, base = site
    for lesson in (a for a in addresses(folder) if a.endswith("/lesson.html")):
        page.goto(f"{base}/{lesson}")
        page.wait_for_selector("mjx-container svg", timeout=60_000)
        faults = [node.get_attribute("data-mjx-error") for node in page.locator("[data-mjx-error]").all()]
        assert not faults, f"{lesson}: {faults}"
        assert page.locator("[id^='eq-']").count() > 0
        for link in page.locator("article a[href*='#eq-']").all():
            address = link.get_attribute("href")
            assert address.split("#")[0] or page.locator(f"[id='{address.split('#')[1]}']").count(), address


def test_the_reference_has_every_public_name_and_links_lead_to_it(page, site):
    folder, base = site
    known = reference.addresses(HOUSE)
    for module, tree in reference.modules(HOUSE).items():
        shown = (folder / "reference" / f"{module}.html").read_text(encoding="utf-8")
        own = reference.own(tree, module)
        assert [name for name, address in own.items() if f'id="{address}"' not in shown] == [], module
        passed_on = [known[name] for name in reference.public(tree) if name not in own]
        assert [address for address in passed_on if f"#{address}" not in shown] == [], module
    for lesson in lesson_names(HOUSE):
        shown = (folder / "lessons" / lesson / "lesson.html").read_text(encoding="utf-8")
        assert re.search(r'In the reference:\s*<a [^>]*href="\.\./\.\./reference/', shown), lesson
    page.goto(f"{base}/index.html")
    for name in ("reference/index.html", *(f"{paper}.html" for paper in PAPERS)):
        assert page.locator(f"article a[href='{name}']").count() > 0, name


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_finds_a_word(page, site, scheme):
    """Over http with the place where it stands; a page from a file may not read the others."""
    folder, base = site
    page.goto(f"{base if scheme == 'http' else folder.as_uri()}/search.html?q=density")
    page.wait_for_selector(
        "#search-results li a" if scheme == "file" else "#search-results .context", timeout=30_000
    )
    assert not page.errors


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(browser, site, axe, scheme):
    """axe-core finds no serious fault, in light and in dark."""
    folder, base = site
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    everything = addresses(folder)
    # One page of each kind is enough for the colours of the dark one.
    kinds = {re.sub(r"reference/.*", "reference", address).split("/")[-1]: address for address in everything}
    for address in everything if scheme == "light" else kinds.values():
        page.goto(f"{base}/{address}")
        bad = serious_faults(page, axe)
        assert not bad, f"{address}: {bad}"
    assert not errors
    context.close()


def test_the_cheat_sheet_fits_on_one_page(page, axe):
    page.goto((HOUSE / "assets" / "cheatsheet.html").as_uri())
    assert not serious_faults(page, axe)
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    assert not page.errors
    assert all(url.startswith("file:") for url in page.requests)


def test_a_site_with_a_broken_link_is_refused(tmp_path):
    import json

    from flowlib.course.folders import CourseError

    root = tmp_path
    shutil.copytree(HOUSE / "assets" / "web", root / "assets" / "web")
    (root / "assets" / "figures").mkdir()
    folder = root / "lessons" / "01_tiny"
    folder.mkdir(parents=True)

    def write(markdown):
        cells = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": markdown}]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "lesson.ipynb").write_text(json.dumps(notebook))

    write("# Tiny\n\nSee [this](nowhere.ipynb).")
    with pytest.raises(CourseError, match="nowhere"):
        make_site(root)
    write("# Tiny\n\n![](a.png)")
    with pytest.raises(CourseError, match="no words"):
        make_site(root)
    write("# Tiny\n\n$$x = z \\tag{1.1}$$\n\nSee (1.1).")
    assert (
        'href="#eq-1-1"' in make_site(root).with_name("lessons").joinpath("01_tiny/lesson.html").read_text()
    )
