"""The reference of flowlib: a page a module, made from its docstrings, and links to it from the lessons.

Docstrings are plain words with code in backticks. Sphinx reads them as reStructuredText, to which a
star, a bar and a backtick mean something else: `setup` makes this module the extension that translates.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowlib.course.exercises.exercise import text
from flowlib.course.pages import templates

# What is shown as it stands: examples, and what is indented below a double colon.
SHOWN = re.compile(r"^ *>>>(?:.*\n?)(?:.*\S.*\n?)*|(?<=::\n\n)(?:[ ].*\n?|\n)+", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


def modules(root: Path) -> dict[str, ast.Module]:
    """The modules of flowlib that have public names, parsed, by name."""
    found = {
        path.stem: ast.parse(path.read_text("utf-8")) for path in sorted((root / "flowlib").glob("*.py"))
    }
    return {name: tree for name, tree in found.items() if name != "__init__" and public(tree)}


def public(tree: ast.Module) -> list[str]:
    """The names in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and _assigned(node) == {"__all__"}:
            return ast.literal_eval(node.value)
    return []


def own(tree: ast.Module, module: str) -> dict[str, str]:
    """The public names that a module defines, and their addresses: Coupling -> flowlib.coupling.Coupling."""
    names = set(public(tree))
    defined = set[str]()
    for node in tree.body:
        defined |= {node.name} if isinstance(node, ast.ClassDef | ast.FunctionDef) else _assigned(node)
    return {name: f"flowlib.{module}.{name}" for name in names & defined}


def constants(tree: ast.Module) -> dict[str, bool]:
    """The public names that a module gives to a value, and whether the value is short enough to be shown."""
    names = public(tree)
    return {
        name: len(ast.unparse(node)) < 100 for node in tree.body for name in _assigned(node) if name in names
    }


def comment_on(name: str, source: str) -> str:
    """The comment above the line that gives a value to this name, or at its end."""
    found = re.search(rf"((?:^#.*\n)*)^{name}\b[^#\n]*=[^#\n]*(#.*)?$", source, re.MULTILINE)
    lines = (found.group(1) or found.group(2) or "").splitlines() if found else []
    return "\n".join(line.lstrip("# ") for line in lines)


def addresses(root: Path) -> dict[str, str]:
    """The addresses of all public names but those that two modules give to different things, as Split."""
    every = [item for module, tree in modules(root).items() for item in own(tree, module).items()]
    times = Counter(name for name, _ in every)
    return {name: address for name, address in every if times[name] == 1}


def most_used(root: Path) -> dict[str, str]:
    """The addresses of what can be had from flowlib itself: its layers, models and the like."""
    known, package = addresses(root), root / "flowlib" / "__init__.py"
    names = public(ast.parse(package.read_text("utf-8"))) if known else []
    return {name: known[name] for name in names}


def _assigned(node: ast.stmt) -> set[str]:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return set()
    return {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def write(root: Path, source: Path, shown: set[str]) -> list[str]:
    """Write source/reference, a page a module, and name them; `shown` are those whose code has a page."""
    trees, known = modules(root), addresses(root)
    if not trees:
        return []
    folder = source / "reference"
    folder.mkdir()
    for name, tree in trees.items():
        mine = own(tree, name)
        page = templates.render(
            "module.md",
            name=name,
            constants={mine[word]: short for word, short in constants(tree).items()},
            foreign={word: known[word] for word in public(tree) if word not in mine},
            code=name in shown,
        )
        (folder / f"{name}.md").write_text(page, encoding="utf-8")
    words = {name: (ast.get_docstring(tree) or "").splitlines()[0] for name, tree in trees.items()}
    (folder / "index.md").write_text(templates.render("reference.md", words=words), encoding="utf-8")
    return list(trees)


# ---------------------------------------------------------------------------- links from a lesson


def link_first_uses(cells: list[dict], known: dict[str, str]) -> list[dict]:
    """The cells of a lesson, and after each that first uses a name of flowlib a link to its page."""
    imported: dict[str, str] = {}
    linked: set[str] = set()
    result = []
    for cell in cells:
        result.append(cell)
        if cell["cell_type"] != "code":
            continue
        try:
            tree = ast.parse(text(cell))
        except SyntaxError:  # a magic of IPython
            continue
        new = [name for name in _uses(tree, imported) if name in known and name not in linked]
        if new:
            linked |= set(new)
            source = templates.render("links.md", names={name: known[name] for name in sorted(new)})
            name = f"reference-{len(result)}"
            result.append({"cell_type": "markdown", "id": name, "metadata": {}, "source": source})
    return result


def _uses(tree: ast.Module, imported: dict[str, str]) -> Iterator[str]:
    """The names of flowlib that a cell uses; `imported` says how they are called, and learns of more."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flowlib":
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in imported:
            yield imported[node.id]
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
        ):
            yield node.attr  # as in data.two_moons


# ---------------------------------------------------------------------------- Sphinx


def as_rst(docstring: str, known: dict[str, str]) -> str:
    """A docstring in reStructuredText: words mean themselves, code is code, and public names are links."""

    def words(part: str) -> str:
        return re.sub(r"[\\*|]|_(?!\w)", r"\\\g<0>", part)

    def code(part: str) -> str:
        return f":py:obj:`{part} <{known[part]}>`" if part in known else f"``{part}``"

    def prose(part: str) -> str:
        pieces = [code(piece) if odd % 2 else words(piece) for odd, piece in enumerate(CODE.split(part))]
        # Code ends before a word only if the two are set apart, as in `Coupling`s.
        return "".join(
            ("\\ " if at and piece[:1].isalnum() else "") + piece for at, piece in enumerate(pieces)
        )

    result, at = [], 0
    for shown in SHOWN.finditer(docstring):
        result += [prose(docstring[at : shown.start()]), shown.group(0)]
        at = shown.end()
    return "".join([*result, prose(docstring[at:])])


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx: how docstrings are read, and which members of a class are shown."""
    from torch import nn

    root = Path(app.srcdir).parents[1]
    known = addresses(root)
    at_home = {name: known | own(tree, name) for name, tree in modules(root).items()}
    of_torch = {inspect.getdoc(getattr(nn.Module, name)) for name in dir(nn.Module)}

    def translate(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
        docstring, links = "\n".join(lines).strip("\n"), at_home[name.split(".")[1]]
        # What torch says of every module's forward, or Python of every float, tells nothing of this one.
        empty = docstring in of_torch or what == "data"
        lines[:] = [] if empty else as_rst(docstring, links).split("\n")

    def comment(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
        if what == "data":
            module, word = name.rsplit(".", 1)
            source = (root / f"{module.replace('.', '/')}.py").read_text("utf-8")
            lines[:] = [*as_rst(comment_on(word, source), known).split("\n"), ""]

    def skip(app: Any, what: str, name: str, thing: object, skipped: bool, options: object) -> bool | None:
        if what != "class" or skipped:
            return None
        method = callable(thing) or isinstance(thing, property)
        torchs = hasattr(nn.Module, name) and name != "forward" and not getattr(thing, "__doc__", None)
        return True if torchs or not method else None

    app.connect("autodoc-process-docstring", translate, priority=100)  # napoleon comes at 500, and would
    app.connect("autodoc-process-docstring", comment, priority=900)  # read types into a comment
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
