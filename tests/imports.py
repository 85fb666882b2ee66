"""The imports of flowlib, read from its source, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache

from tests.conftest import HOUSE


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of flowlib by its dotted name, parsed."""
    found = {}
    for path in sorted((HOUSE / "flowlib").rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(module: str) -> Iterator[tuple[str, str, str]]:
    """What a module imports of flowlib, inside functions too: (module, name in it or "", called)."""
    known = modules()
    for node in ast.walk(known[module]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "flowlib":
                    yield alias.name, "", alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports by a relative path"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known:
                    yield whole, "", alias.asname or alias.name
                elif node.module in known:
                    yield node.module, alias.name, alias.asname or alias.name


@cache
def graph() -> dict[str, set[str]]:
    return {module: {used for used, _, _ in imports(module)} for module in modules()}


def packages(nodes: Iterable[ast.AST]) -> set[str]:
    """The top-level modules that these nodes import: {"flowlib", "numpy", ...}."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found
