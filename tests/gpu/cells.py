"""The code cells of a notebook, run as a script: without Jupyter, which a machine with a GPU may lack."""

from __future__ import annotations

import ast
import importlib.util
import json
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]


@dataclass
class Cell:
    """A code cell: its name, its program, and the text that it printed when it was saved."""

    id: str
    source: str
    printed: str


@dataclass
class Failure:
    """What stopped a cell: the error, and the line of the cell and of flowlib where it happened."""

    cell: str
    line: int
    code: str
    error: str
    inside: str = ""

    def __str__(self) -> str:
        text = f"cell {self.cell}, line {self.line}: {self.error}\n    {self.code}"
        return text + (f"\n    {self.inside}" if self.inside else "")


def find_lesson(name: str, kind: str = "lesson") -> Path:
    """The notebook of a lesson, from its number "5" or "05", or from its path; `kind` "demo" has sliders."""
    if name.endswith(".ipynb"):
        return Path(name).resolve()
    found = sorted((HOUSE / "lessons").glob(f"{int(name):02d}_*/{kind}.ipynb"))
    if not found:
        raise FileNotFoundError(f"there is no {kind} {name}")
    return found[0]


def lesson_numbers() -> list[str]:
    """The numbers of all lessons: "01", "02", ..."""
    return sorted(path.parent.name[:2] for path in (HOUSE / "lessons").glob("*/lesson.ipynb"))


def read_cells(notebook: Path) -> list[Cell]:
    """All code cells, in order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        Cell(cell["id"], "".join(cell["source"]), _printed(cell["outputs"]))
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def _printed(outputs: list[dict]) -> str:
    outputs = [output for output in outputs if output.get("name") != "stderr"]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    # A figure's text is only its size.
    shown = ["".join(text) for text in texts]
    return "\n".join(text for text in shown if not text.startswith("<Figure"))


def controls_at_rest() -> types.ModuleType:
    """In place of ipywidgets: a slider or a menu is the value that it starts with, and draws once."""

    def control(value: object = None, *_: object, options: Sequence = (), **__: object) -> object:
        if value is not None:
            return value
        first = options[0] if options else 0
        return first[1] if isinstance(first, tuple) else first  # (words, value)

    def interact(draw: Callable, play: object = None, **values: object) -> None:
        draw(**values)

    def find(name: str) -> Callable:
        if not name[0].isupper() and name not in ("fixed", "jslink"):
            raise AttributeError(name)  # `inspect` asks every module for its __file__
        return control

    module = types.ModuleType("ipywidgets")
    vars(module).update(interact=interact, __getattr__=find)
    return module


def new_namespace() -> dict:
    """Where the cells of a notebook live, with plain stand-ins for what Jupyter brings."""
    if importlib.util.find_spec("IPython") is None:
        from flowlib.pictures import stage

        sys.modules["ipywidgets"] = widgets = controls_at_rest()
        stage.stage = widgets.interact  # it draws on one figure by ipywidgets
    namespace = types.ModuleType("__main__").__dict__
    namespace["display"] = lambda *things: print(*things, sep="\n")
    return namespace


def parse(cell: Cell) -> ast.Module:
    """The cell as a syntax tree in which, as in a notebook, a last expression shows its value."""
    tree = ast.parse(cell.source)
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not cell.source.rstrip().endswith(";"):
        show = ast.Name("__show__", ast.Load())
        value = tree.body[-1].value
        tree.body[-1].value = ast.copy_location(ast.Call(show, [value], []), value)
        ast.fix_missing_locations(tree)
    return tree


def run_cell(cell: Cell, namespace: dict, tree: ast.Module | None = None) -> Failure | None:
    """Run a cell, or a changed syntax tree of it; what stopped it, if something did."""
    file = f"<cell {cell.id}>"
    # So that a traceback can show the cell's lines.
    linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(keepends=True), file)
    namespace["__show__"] = lambda value: None if value is None else print(repr(value))
    try:
        exec(compile(tree or parse(cell), file, "exec"), namespace)
    except Exception as error:
        return _failure(cell, file, error)
    return None


def _failure(cell: Cell, file: str, error: Exception) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename == file]
    line = ours[-1].lineno if ours else getattr(error, "lineno", None) or 1
    code = (cell.source.splitlines()[line - 1 : line] or [""])[0].strip()
    library = [frame for frame in frames if str(HOUSE / "flowlib") in frame.filename]
    inside = (
        f"in {Path(library[-1].filename).name}:{library[-1].lineno}: {library[-1].line}" if library else ""
    )
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return Failure(cell.id, line, code, f"{type(error).__name__}: {first_line}", inside)
