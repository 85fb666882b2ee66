"""What slides and the site put into a page, so that the figures of a lesson live in it.

A lesson has two files here: `<name>.js` registers its figures, each under the id of the demo's cell that
holds its sliders, and `<name>.py` has `data()`, what they draw from: exported flows and points.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
import shutil
from pathlib import Path

import torch
from torch import Tensor

from flowlib.course.pages import templates

HERE = Path(__file__).parent
LIVE_CSS = HERE / "live.css"
REGISTERED = re.compile(r'^Live\.figure\("([\w-]+)"', re.MULTILINE)


def name_of(lesson: str) -> str:
    """The lesson without its number: 01_change_of_variables -> change_of_variables."""
    return lesson.partition("_")[2]


def figures(lesson: str) -> set[str]:
    """The ids of the slider cells of a lesson that have a live figure."""
    script = HERE / f"{name_of(lesson)}.js"
    return set(REGISTERED.findall(script.read_text(encoding="utf-8"))) if script.is_file() else set()


def scripts(root: Path, lesson: str) -> list[Path]:
    """The scripts of a page with this lesson's figures, in the order in which they are loaded."""
    return [
        root / "assets" / "web" / "d3.js",
        *(HERE / f"{name}.js" for name in ("flow", "live", name_of(lesson))),
    ]


@functools.cache  # slides and pages of a lesson want the same, and some of it takes seconds
def data(lesson: str) -> str:
    """What the figures draw from, as a script: `Live.data = {...}`. It can stand in a page's script tag."""
    module = importlib.import_module(f"flowlib.course.pages.live.{name_of(lesson)}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on nets this small a second thread mostly waits
    try:
        made = json.dumps(module.data(), separators=(",", ":"))
    finally:
        torch.set_num_threads(threads)
    return f"Live.data = {made};".replace("</", r"<\/")


def numbers(values: Tensor, digits: int = 4) -> list:
    """A tensor as lists of numbers short enough for a page, for flow.js: a matrix row by row in one list."""
    return [round(value, digits) for value in values.detach().double().reshape(-1).tolist()]


def put_into(cells: list[dict], lesson: str, root: Path, static: Path) -> list[dict]:
    """Let live figures stand for the sliders of a page of the site, and copy their files to `static`.

    Returns:
        The cell that loads them, for the end of the page; nothing, if there are none.
    """
    alive = [cell for cell in cells if cell.get("id") in figures(lesson) and cell["cell_type"] == "code"]
    if not alive:
        return []
    for cell in alive:
        place = templates.render("live.html", name=cell["id"])
        cell["metadata"]["tags"] = ["remove-input"]
        cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": place}, "metadata": {}}]
    stills = {cell["id"].removesuffix("slider") + "still" for cell in alive}
    for cell in cells:
        if cell.get("id") in stills:
            cell["metadata"]["tags"].append("still")  # for print, and where no script runs
    folder = static / "live"
    folder.mkdir(exist_ok=True)
    used = scripts(root, lesson)
    for script in used:
        shutil.copy(script, folder)
    (folder / f"{lesson}.data.js").write_text(data(lesson), encoding="utf-8")
    names = [*(script.name for script in used[:-1]), f"{lesson}.data.js", used[-1].name]
    page = templates.render("live_scripts.html", names=names)
    return [{"cell_type": "markdown", "id": "live-scripts", "metadata": {}, "source": page}]
