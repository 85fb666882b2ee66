"""What a student's code uses, found by reading it; nothing of it runs here.

    reading = Reading({"task1": "def forward(z):\\n    return torch.linalg.inv(z)"})
    [use for use in reading.uses(["forward"]) if use.matches("*.inv")]      # one, with its line

Cells are read as IPython runs them, magics included. From the cells that bind the asked names, in any
way (def, class, assignment, import, for, with, walrus, global, under an if), names are followed through
all cells: to what binds them, stores into them or hands things to them. A name or an attribute stands for
what it *is*: `plots.torch.linalg.inv` is torch's, whatever it was called on the way, `Mine(Chain)` uses
Chain, and what the code itself defines is its own affair. An attribute of something unknown may be
anybody's: `A.inverse` counts as Tensor.inverse, unless a class of the code's own has such a method; then
the use is `unsure`.

Not followed: values. What is looked up by a computed name (getattr, globals, importlib, exec, pickle,
`type(x)(...)`, a module handed around as a value) is listed
for a person by `lookups`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flowlib.course.exercises.things import MISSING, Use, loaded, thing

__all__ = [
    "CARRIERS", "COMPREHENSIONS", "FUNCTIONS", "RUNS_CODE", "Reading", "Scope", "Statement",
    "as_attribute", "as_magic",
]  # fmt: skip

RUNS_CODE = {"time", "timeit", "prun", "capture"}  # magics whose text is code

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# Where a name stands by itself, so that what it holds gets another name or goes into a container.
CARRIERS: tuple[type[ast.AST], ...] = (
    *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred),
    *(ast.IfExp, ast.For, ast.withitem, ast.Return, ast.Yield, ast.arguments, ast.Lambda),
)
# Nodes that bind a name to something unknown, and where they keep the name.
_NAMED_BY: dict[type[ast.AST], str] = {
    ast.arg: "arg",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}
# --- cells and statements ------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def _parse(source: str) -> tuple[tuple[ast.stmt, str], ...] | None:
    """The statements of a cell as IPython runs it, each with its text; None where reading fails."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        source = TransformerManager().transform_cell(source)
    except ImportError:
        pass
    except SyntaxError:
        return ()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()  # it does not run either
    except (RecursionError, MemoryError):
        return None
    found = [(node, source) for node in tree.body]
    for call in ast.walk(tree):
        if (magic := as_magic(call)) and magic[1][0] in RUNS_CODE:
            for text in magic[1][1:]:
                found += _parse(re.sub(r"^\s*(-\w+\s*\d*\s+)*", "", text)) or ()
    return tuple(found)


def as_magic(node: ast.AST | None) -> tuple[str, list[str]] | None:
    """The method and the words of get_ipython().run_line_magic("time", ...), as a line %time is read."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner = node.func.value
    if not isinstance(owner, ast.Call) or getattr(owner.func, "id", "") != "get_ipython":
        return None
    words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return (node.func.attr, words) if words and len(words) == len(node.args) else None


def _split(node: ast.AST) -> tuple[list[ast.AST], list[ast.AST]]:
    """The children of a node that belong to the scope around it, and those in a scope of its own."""
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, FUNCTIONS):
        outside = [*getattr(node, "decorator_list", []), *node.args.defaults]
        outside += [default for default in node.args.kw_defaults if default]
        arguments = [argument for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        return outside, [*arguments, *(node.body if isinstance(node.body, list) else [node.body])]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords], [*node.body]
    if isinstance(node, COMPREHENSIONS):
        return [node.generators[0].iter], children
    return children, []


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    outside, inside = _split(node)
    yield node
    for child in outside:
        yield from _same_scope(child)
    if isinstance(node, COMPREHENSIONS):  # := in a comprehension binds around it
        yield from (n for child in inside for n in _same_scope(child) if isinstance(n, ast.NamedExpr))
        yield from (n.target for c in inside for n in _same_scope(c) if isinstance(n, ast.NamedExpr))


def _bindings(nodes: list[ast.AST]) -> Iterator[tuple[str, object]]:
    """What these nodes of one scope bind: name and path, definition, expression or None for unknown."""
    values = _assigned(nodes)
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id, values.get(id(node))
        elif isinstance(node, _DEFINITIONS):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imported(node)
        elif name := getattr(node, _NAMED_BY.get(type(node), ""), None):
            yield name, None


def _assigned(nodes: list[ast.AST]) -> dict[int, ast.expr | None]:
    """What each target of an assignment gets, by the id of its node; `a, b = x, y` is taken apart."""
    values: dict[int, ast.expr | None] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    values |= zip(map(id, target.elts), node.value.elts, strict=False)
                else:
                    values[id(target)] = node.value
    return values


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str | None]]:
    """The names that an import binds, and their paths; None for a file beside the notebook."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.split(".")[0]
            yield alias.asname or top, alias.name if alias.asname else top
        else:
            for name in _public(node.module) if alias.name == "*" else [alias.name]:
                yield alias.asname or name, None if node.level else f"{node.module}.{name}"


def _declared(nodes: Iterable[ast.AST], kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    """The names that these nodes declare global or nonlocal."""
    return {name for node in nodes if isinstance(node, kind) for name in node.names}


def _attributes_of(node: ast.ClassDef) -> set[str]:
    """What a class of the student's own defines: methods, class variables, and what methods set on self."""
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef) and m.args.args]
    on_self = {
        n.attr
        for method in methods
        for n in ast.walk(method)
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and getattr(n.value, "id", "") == method.args.args[0].arg
    }
    return on_self | {name for name, _ in _bindings([n for child in node.body for n in _same_scope(child)])}


def _public(module: str | None) -> list[str]:
    names = vars(loaded(module)) if module and loaded(module) is not MISSING else {}
    return [name for name in names if not name.startswith("_")]


@dataclass
class Scope:
    """The names of a function, comprehension, class or (without a parent) of the notebook."""

    parent: Scope | None
    at: Statement
    is_class: bool = False
    names: dict[str, list[tuple[object, Scope]]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)  # declared global


def _open(node: ast.AST, inside: list[ast.AST], scope: Scope) -> Scope:
    """The scope of its own that a function, class or comprehension has for these of its children."""
    inner = Scope(scope, scope.at, isinstance(node, ast.ClassDef))
    nodes = [n for child in inside for n in _same_scope(child)]
    if isinstance(node, COMPREHENSIONS):  # := in it binds around it
        walrus = {id(n.target) for n in nodes if isinstance(n, ast.NamedExpr)}
        nodes = [n for n in nodes if id(n) not in walrus]
    inner.elsewhere = _declared(nodes, ast.Global)
    borrowed = _declared(nodes, ast.Nonlocal)
    for name, meaning in _bindings(nodes):
        if name not in inner.elsewhere | borrowed:
            inner.names.setdefault(name, []).append((meaning, inner))
    if isinstance(node, FUNCTIONS):
        _bind_arguments(node, inner, scope)
    if inner.is_class:
        inner.names["__class__"] = [(node, scope)]
    return inner


def _bind_arguments(node: Function, inner: Scope, scope: Scope) -> None:
    """An argument may mean its default; the first of a method means the class."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    for argument, default in zip(reversed(arguments), reversed(node.args.defaults), strict=False):
        inner.names[argument.arg].append((default, scope))
    if scope.is_class and arguments and not isinstance(node, ast.Lambda):
        inner.names[arguments[0].arg] = [(scope.names["__class__"][0][0], scope)]


@dataclass(eq=False)
class Statement:
    """A statement at the top of a cell."""

    node: ast.AST
    text: str
    cell: str
    number: int

    def __post_init__(self) -> None:
        nodes = list(ast.walk(self.node))
        known = _bindings(list(_same_scope(self.node)))
        self.meanings = [*known, *((name, None) for name in _declared(nodes, ast.Global))]
        self.binds = {name for name, _ in self.meanings}
        self.certain = _certain(self.node)
        self.stores = _stored(nodes)
        self._above = {id(child): node for node in nodes for child in ast.iter_child_nodes(node)}
        self.calls = [node for node in nodes if isinstance(node, ast.Call)]
        names = [node for node in nodes if isinstance(node, ast.Name)]
        self.carries = {name.id for name in names if isinstance(self.above(name), CARRIERS)}

    def above(self, node: ast.AST | None) -> ast.AST | None:
        """The node that a node belongs to."""
        return self._above.get(id(node))

    def line(self, node: ast.AST) -> str:
        """The line on which a node stands."""
        lines = self.text.splitlines()
        return lines[min(getattr(node, "lineno", 1), len(lines)) - 1].strip()[:120]


def _certain(node: ast.AST) -> set[str]:
    """Bound for certain where the statement has run: not under an if, in a function, after an `and`."""
    names = {target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)}
    return names | {node.name} if isinstance(node, _DEFINITIONS) else names


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    """Names into which something is put: x in x.a = 1, x[0] = 1 and del x.a."""
    places = [node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript)]
    return {_root(place) for place in places if not isinstance(place.ctx, ast.Load)} - {""}


def _could_fill(call: ast.Call, name: str) -> bool:
    """Whether a name is handed to this call, or the call is a method of what it holds."""
    handed = [*call.args, *(keyword.value for keyword in call.keywords)]
    if any(getattr(one, "id", "") == name for one in handed):
        return True
    if not isinstance(call.func, ast.Attribute) or isinstance(call.func.value, ast.Call):
        return False
    return _root(call.func.value) == name


def _root(node: ast.AST) -> str:
    """x of x.a[0].b, or ''."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def as_attribute(node: ast.AST | None) -> tuple[ast.expr, str] | None:
    """The object and the name of x.a, or of getattr(x, "a")."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr" and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return node.args[0], name.value
    return None


@functools.lru_cache(maxsize=16)
def _given(released: tuple[str, ...]) -> tuple[dict[str, list[str]], set[str]]:
    """What the names of the release mean, and its statements."""
    given = [pair for source in released for pair in _parse(source) or ()]
    paths: dict[str, list[str]] = {}
    for node, text in given:
        for name, meaning in Statement(node, text, "", 0).meanings:
            path = meaning if isinstance(meaning, str) else f"given.{name}"
            paths.setdefault(name, []).append(path)
    return paths, {ast.dump(node) for node, _ in given}


def _index(statements: Iterable[Statement]) -> dict[str, list[tuple[Statement, object]]]:
    """Every name with the statements that bind it, and what each means by it."""
    bound: dict[str, list[tuple[Statement, object]]] = {}
    for statement in statements:
        for name, meaning in statement.meanings:
            bound.setdefault(name, []).append((statement, meaning))
    return bound


def _own_attributes(statements: Iterable[Statement]) -> set[str]:
    """The attributes and methods of all classes that these statements define."""
    nodes = (node for statement in statements for node in ast.walk(statement.node))
    return {name for node in nodes if isinstance(node, ast.ClassDef) for name in _attributes_of(node)}


# --- reading -------------------------------------------------------------------------------


class Reading:
    """The cells of a student, read.

    Args:
        cells: all that was handed in: the name of a cell (for a task's cell that of its task, for others
            "cell 3") or of a file beside the notebook -> source.
        released: the cells of the exercise as it was handed out: names that they bind are known, and
            their statements are nobody's fault.
    """

    def __init__(self, cells: Mapping[str, str], released: Iterable[str] = ()):
        self.cells = tuple(cells)
        self.given, as_given = _given(tuple(released))
        parsed = {name: _parse(source) for name, source in cells.items()}
        self.unread = [name for name, pairs in parsed.items() if pairs is None]
        self.statements = [
            Statement(node, text, name, number)
            for name, pairs in parsed.items()
            for number, (node, text) in enumerate(pairs or ())
            if ast.dump(node) not in as_given
        ]
        self._bound = _index(self.statements)
        self.own_attributes = _own_attributes(self.statements)
        self._resolved: dict[int, set] = {}

    def binds(self, name: str) -> bool:
        """Whether some cell defines a name."""
        return name in self._bound

    def kept(self, name: str) -> bool:
        """Whether a name that the release defines is bound by nothing else."""
        return name in self.given and not self.binds(name)

    def cells_of(self, names: Collection[str]) -> set[str]:
        """The cells that bind one of these names."""
        return {statement.cell for statement in self.statements if statement.binds & set(names)}

    def uses(self, names: Collection[str]) -> list[Use]:
        """All that the definitions of these names use, directly or by way of other names."""
        found = []
        for name in names:
            for statement, meaning in self._bound.get(name, ()):
                if isinstance(meaning, str):  # it is itself a thing of a library
                    found.append(Use(name, statement.line(statement.node), frozenset([meaning])))
        for statement, piece in self._reached(names):
            for node, scope in self.walk(piece, Scope(None, statement)):
                found += self._uses_at(node, scope, statement)
        return found

    # What is reached.

    def _reached(self, names: Collection[str]) -> Iterator[tuple[Statement, ast.AST]]:
        """The cells that bind the names, and all that other cells have to do with what is used there."""
        home = self.cells_of(names)
        pieces = {id(s.node): (s, s.node) for s in self.statements if s.cell in home}
        waiting = [(s, s.node) for s in self.statements if s.binds & set(names)]
        seen, followed = set(), set(names)
        while waiting:
            statement, piece = waiting.pop()
            if id(piece) in seen:
                continue
            seen.add(id(piece))
            pieces[id(piece)] = statement, piece
            mentioned = set(self._free_names(piece, statement))
            if statement.cell not in home:
                mentioned |= statement.binds
            for name in mentioned - followed:
                followed.add(name)
                waiting += self._about(name)
        yield from pieces.values()

    def _about(self, name: str) -> Iterator[tuple[Statement, ast.AST]]:
        """Statements that bind a name or store into it; if it holds data, calls that could fill it too."""
        meanings = [meaning for _, meaning in self._bound.get(name, ())]
        is_data = any(not isinstance(meaning, str | ast.Lambda | _DEFINITIONS) for meaning in meanings)
        for s in self.statements:
            if name in s.binds | s.stores or (is_data and name in s.carries):
                yield s, s.node
            yield from ((s, call) for call in s.calls if is_data and _could_fill(call, name))

    def _free_names(self, piece: ast.AST, statement: Statement) -> Iterator[str]:
        for node, scope in self.walk(piece, Scope(None, statement)):
            if isinstance(node, ast.Name) and self.may_be_global(node.id, scope):
                yield node.id

    # What names mean.

    def walk(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        """A node and all below it, each with the scope in which its names are looked up."""
        yield node, scope
        outside, inside = _split(node)
        for child in outside:
            yield from self.walk(child, scope)
        if inside:
            inner = _open(node, inside, scope)
            for child in inside:
                yield from self.walk(child, inner)

    def _local(self, name: str, scope: Scope) -> tuple[list[tuple[object, Scope]], bool]:
        """What a name may mean inside functions and classes, and whether it may be one of the notebook."""
        meanings, first = [], True
        while scope.parent is not None and name not in scope.elsewhere:
            if name in scope.names and (first or not scope.is_class):
                meanings += scope.names[name]
                if not scope.is_class:
                    return meanings, False
            scope, first = scope.parent, False
        return meanings, True

    def may_be_global(self, name: str, scope: Scope) -> bool:
        """Whether a name is looked up outside functions and classes."""
        return self._local(name, scope)[1]

    def _meanings(self, name: str, scope: Scope) -> list[tuple[object, Scope]]:
        """All that a name may mean at a place: any cell may have bound it, the release's or the student's."""
        meanings, outside = self._local(name, scope)
        at, sure = scope.at, False  # sure: bound above this place in its own cell
        for statement, meaning in self._bound.get(name, ()) if outside else ():
            meanings.append((meaning, Scope(None, statement)))
            above = statement.cell == at.cell and statement.number < at.number
            sure |= above and name in statement.certain
        if outside and not sure:
            meanings += [(path, scope) for path in self.given.get(name, ())]
        return meanings

    def resolve(self, node: ast.AST, scope: Scope) -> set:
        """Paths, own classes (also for their instances) and None for what is unknown."""
        if isinstance(node, ast.Name):
            found = set()
            for meaning, where in self._meanings(node.id, scope):
                if isinstance(meaning, str | ast.ClassDef | None):
                    found.add(meaning)
                elif isinstance(meaning, ast.expr):
                    if id(meaning) not in self._resolved:
                        self._resolved[id(meaning)] = set()  # for names that mean each other
                        self._resolved[id(meaning)] = self.resolve(meaning, where)
                    found |= self._resolved[id(meaning)]
                else:
                    found.add(None)
            return found or {None}
        if attribute := as_attribute(node):
            return {self._step(value, attribute[1]) for value in self.resolve(attribute[0], scope)}
        if isinstance(node, ast.Call):
            return {v if isinstance(v, ast.ClassDef) else None for v in self.resolve(node.func, scope)}
        return {None}

    def _step(self, value: object, attribute: str) -> str | None:
        library = isinstance(value, str) and not value.startswith("given.")
        return thing(f"{value}.{attribute}")[0] if library else None

    def _uses_at(self, node: ast.AST, scope: Scope, statement: Statement) -> list[Use]:
        where = statement.line(node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            values = self.resolve(node, scope)
            paths = frozenset(value for value in values if isinstance(value, str))
            return [Use(node.id, where, paths, unsure=len(paths) < len(values))] if paths else []
        if attribute := as_attribute(node):
            return self._attribute_used(node, *attribute, scope, where)
        if isinstance(getattr(node, "op", None), ast.MatMult):
            return [Use("@", where, frozenset(), "@")]
        if isinstance(node, ast.MatchClass):
            return [Use(word, where, frozenset(), word) for word in node.kwd_attrs]
        return []

    def _attribute_used(
        self, node: ast.AST, owner: ast.expr, name: str, scope: Scope, where: str
    ) -> list[Use]:
        """What an attribute of something may be: a library's, the code's own, or anybody's."""
        values = self.resolve(owner, scope)
        paths = {path for value in values if (path := self._step(value, name)) is not None}
        own = [isinstance(value, ast.ClassDef) and name in _attributes_of(value) for value in values]
        unknown = not all(own) and len(paths) < len(values)
        word = name if unknown else ""
        if not paths and not word:
            return []
        code = ast.unparse(node)
        written = code if re.fullmatch(r"[\w.]+", code) else f".{name}"
        unsure = any(own) or (unknown and name in self.own_attributes)
        return [Use(written, where, frozenset(paths), word, unsure)]
