"""A demo in JupyterLab: how high each part stands, and how fast each of its sliders answers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.browser.test_lab import open_notebook, run_all

LAPTOP = {"width": 1366, "height": 768}
# From the key to the frame after the one in which the new picture can be seen.
WATCH = """
() => {
  let pressed = 0;
  window.answers = [];
  addEventListener("keydown", () => (pressed = performance.now()), true);
  new MutationObserver(async (changes) => {
    const picture = changes.find((change) => change.target.matches(".jp-OutputArea img"));
    if (!picture || !pressed) return;
    const since = pressed;
    pressed = 0;
    await picture.target.decode();
    requestAnimationFrame(() => window.answers.push(performance.now() - since));
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["src"] });
}
"""


class Demo:
    """A demo that has run, in a window of a small laptop, the file browser open."""

    def __init__(self, page, lab, lesson: str):
        path = f"lessons/{lesson}/demo.ipynb"
        page.set_viewport_size(LAPTOP)
        open_notebook(page, lab, path)
        run_all(page, lab, path, 180)
        page.evaluate(WATCH)
        self.page = page
        self.ids = [cell["id"] for cell in lab.read(path)["cells"]]
        self.panel = page.locator(".jp-WindowedPanel-outer").first

    def parts(self) -> Iterator[tuple[str, object, float]]:
        """Each slider cell: its name, itself, and how many pixels it ends below a window that begins
        with its question (none below 0)."""
        for place, name in enumerate(self.ids):
            if not name.endswith("-slider"):
                continue
            question, slider = (
                self.page.locator(f".jp-Cell[data-windowed-list-index='{index}']")
                for index in (self.ids.index(name.removesuffix("-slider")), place)
            )
            while not (question.count() and slider.count()):  # cells far away are not in the page
                self.panel.evaluate("panel => panel.scrollBy(0, 300)")
                self.page.wait_for_timeout(100)
            question.evaluate("cell => cell.scrollIntoView({ block: 'start' })")
            slider.locator("img").wait_for()
            top, cell = question.bounding_box()["y"], slider.bounding_box()
            height = self.panel.bounding_box()["height"]
            yield name, slider, cell["y"] + cell["height"] - top - height

    def answers(self, slider) -> dict[str, float]:
        """Milliseconds from a key to the changed picture, best of five, by the slider's label."""
        best = {}
        for handle in slider.locator(".noUi-handle").all():
            label = handle.evaluate("e => e.closest('.widget-inline-hbox').querySelector('label').innerText")
            handle.focus()
            took = []
            for key in ("ArrowRight", "ArrowLeft") * 3:
                known = self.page.evaluate("answers.length")
                handle.press(key)
                self.page.wait_for_function(f"answers.length > {known}", timeout=20_000)
                took.append(self.page.evaluate("answers.at(-1)"))
                self.page.wait_for_timeout(50)
            best[label] = min(took[1:])
        return best
