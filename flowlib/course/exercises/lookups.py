"""Look-ups that reading cannot follow: what a person should see where a task forbids something.

`doubts(reading, names)` lists the student's own lines that get hold of a thing by a computed name or by
way of another object. Habits such as `super()`, `type(self)`, `type(x).__name__`, `getattr(x, "a")` and
`%matplotlib inline` are none.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Collection

from flowlib.course.exercises.sources import (
    RUNS_CODE,
    Reading,
    Scope,
    Statement,
    as_attribute,
    as_magic,
)
from flowlib.course.exercises.things import thing

__all__ = ["doubts"]

NAMES = {"getattr", "setattr", "delattr", "vars", "globals", "locals", "exec", "eval", "compile", "type"}
NAMES |= {"__import__", "__builtins__", "__loader__", "__spec__", "__class__", "get_ipython"}
DOORS = (
    *(
        "importlib",
        "pickle",
        "ctypes",
        "base64",
        "builtins",
        "__main__",
        "inspect",
        "runpy",
        "marshal",
        "codecs",
    ),
    *("gc", "pkgutil", "zipimport", "code", "codeop", "cffi", "dill", "cloudpickle", "joblib", "subprocess"),
    *(
        "unittest",
        "pydoc",
        "sys.modules",
        "sys.meta_path",
        "sys.path",
        "sys._getframe",
        "operator.attrgetter",
        "os.system",
    ),
    *("operator.methodcaller", "types.FunctionType", "types.CodeType", "types.ModuleType", "os.popen"),
    *("torch.ops", "torch.jit", "torch.hub", "torch.load", "torch.package", "torch.library", "torch.classes"),
    *("torch.utils.cpp_extension", "flowlib.course"),
)
HABITS = {
    "__init__",
    "__post_init__",
    "__name__",
    "__qualname__",
    "__doc__",
    "__version__",
    "__call__",
    "__len__",
}
QUIET_MAGICS = {"matplotlib", "config", "pip", "conda", "pwd", "ls", "who", "whos", "precision", "pinfo"}
QUIET_MAGICS |= {"bash", "sh", "html", "markdown", "latex", "debug", "pdb"}


def doubts(reading: Reading, names: Collection[str]) -> list[str]:
    """The lines of all cells that get hold of something in a way that cannot be followed, in words.

    Args:
        reading: the student's cells.
        names: what the task at hand asks for. In the cells of other tasks, reading `globals()[...]` is
            nobody's business.
    """
    found = {cell: f"{cell} is nested too deep to be read" for cell in reading.unread}
    home = reading.cells_of(names)
    for statement in reading.statements:
        elsewhere = statement.cell not in home and not re.match(r"cell |.*\.py$", statement.cell)
        for node, scope in reading.walk(statement.node, Scope(None, statement)):
            if what := _dark(reading, node, scope, statement, elsewhere):
                line = statement.line(node)
                found.setdefault(line, f"{statement.cell}: {what} cannot be followed by reading: `{line}`")
    return list(found.values())


def _dark(reading: Reading, node: ast.AST, scope: Scope, statement: Statement, elsewhere: bool) -> str:
    """What a node looks up, if that cannot be followed; else ''."""
    above = statement.above(node)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _strange_import(reading, node)
    if isinstance(node, ast.Name) and node.id in NAMES and reading.may_be_global(node.id, scope):
        return "" if _habit(reading, node, scope, statement, elsewhere) else node.id
    attribute = as_attribute(node)
    if attribute and attribute[1].startswith("__") and attribute[1] not in HABITS:
        named = isinstance(above, ast.Compare) or getattr(above, "attr", "") in ("__name__", "__qualname__")
        own = all(isinstance(value, ast.ClassDef) for value in reading.resolve(attribute[0], scope))
        return "" if attribute[1] == "__class__" and (named or own) else attribute[1]
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        held = {path for path in reading.resolve(node.value, scope) if isinstance(path, str)}
        return f"a change of {min(held).removeprefix('given.')}" if held else ""
    if attribute or isinstance(node, ast.Name):
        for path in reading.resolve(node, scope):
            if isinstance(path, str) and not path.startswith("given."):
                library = path.split(".")[0] not in sys.stdlib_module_names
                if library and any(part.startswith("_") for part in path.split(".")):
                    return f"the private {path}"
                if any(f"{path}.".startswith(f"{door}.") for door in DOORS):
                    return path
                if inspect.ismodule(thing(path)[1]) and not _plain_alias(above):
                    return f"the module {path}, handed around as a value,"
    return ""


def _habit(reading: Reading, node: ast.Name, scope: Scope, statement: Statement, elsewhere: bool) -> bool:
    """Whether one of NAMES stands where it looks up nothing, or what is written beside it."""
    call = statement.above(node)
    if not (isinstance(call, ast.Call) and call.func is node):
        return node.id == "__class__" and getattr(call, "attr", "") == "__name__"
    around = statement.above(call)
    if node.id == "getattr":
        return as_attribute(call) is not None
    if node.id == "type" and len(call.args) == 1:
        named = isinstance(around, ast.Compare) or getattr(around, "attr", "") in ("__name__", "__qualname__")
        own = all(isinstance(value, ast.ClassDef) for value in reading.resolve(call.args[0], scope))
        return named or own
    if node.id == "globals":
        return elsewhere and isinstance(around, ast.Subscript) and isinstance(around.ctx, ast.Load)
    if node.id == "get_ipython":
        return _quiet(statement.above(around))
    return node.id == "type" and len(call.args) == 3


def _quiet(call: ast.AST | None) -> bool:
    """A magic that runs no code but what was read, or a line for the shell that starts no Python."""
    magic = as_magic(call)
    if magic is None:
        return False
    method, words = magic
    if method in ("system", "getoutput") or words[0] in ("bash", "sh"):
        return "python" not in " ".join(words)
    return words[0] in RUNS_CODE | QUIET_MAGICS or "autoreload" in words


def _plain_alias(above: ast.AST | None) -> bool:
    """`F.relu`, `F = torch.nn.functional`, `def f(x, F=torch.nn.functional)`: such a name is followed."""
    return isinstance(above, ast.Attribute | ast.Assign | ast.arguments) or bool(as_attribute(above))


def _strange_import(reading: Reading, node: ast.Import | ast.ImportFrom) -> str:
    """A module by which anything can be looked up, or a file beside the notebook.

    `from helpers import f` is followed, because what helpers.py binds is read as a cell is.
    """
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."]
    for module in modules:
        if any(f"{module}.".startswith(f"{door}.") for door in DOORS):
            return module
        beside = [cell for cell in reading.cells if re.split("[./]", cell)[0] == module.split(".")[0]]
        named = isinstance(node, ast.ImportFrom) and not any(alias.asname for alias in node.names)
        if beside and not (named and beside == [f"{module}.py"]):
            return f"{module}, a file of your own,"
    return ""
