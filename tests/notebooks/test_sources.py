"""check_source finds what code uses, however it is bound and whatever it is called; habits are left alone."""

import pytest

from flowlib import checks
from flowlib.course.exercises import rules
from flowlib.course.exercises.sources import Reading
from flowlib.course.exercises.things import GROUPS, expand

GIVEN = """
import torch
from torch import nn

from flowlib import checks, data, plots
from flowlib.linear import Linear

def slow_sample(z):
    return z
"""
RULE = {"forbids": ("flowlib", "linalg", "slow_sample"), "allows": ("solve_triangular",)}


def ask(*cells, names=("f",), **rule):
    """What check_source raises, and its doubts; the first cell is the task's."""
    numbered = {"task1": cells[0]} | {f"cell {number}": cell for number, cell in enumerate(cells[1:])}
    with rules.submitted_sources(numbered, [GIVEN]) as doubts:
        try:
            rules.check_source(*names, **(rule or RULE))
        except checks.LawBroken as broken:
            return str(broken), doubts
    return "", doubts


FORBIDDEN = {
    "a def": ["def f(A): return torch.linalg.inv(A)"],
    "async": ["async def f(A): return torch.linalg.inv(A)"],
    "a lambda": ["f = lambda A: A.inverse()"],
    "the thing itself": ["f = torch.linalg.inv"],
    "a tuple": ["f, g = torch.linalg.inv, 1"],
    "a walrus": ["(f := torch.linalg.inv)"],
    "augmented": ["f = 0\nf += torch.det(torch.eye(2))"],
    "for": ["for f in [torch.linalg.inv]: pass"],
    "with": ["with torch.linalg.inv as f: pass"],
    "match": ["match torch.linalg.inv:\n    case f: pass"],
    "import as": ["from torch.linalg import inv as f"],
    "star": ["from flowlib.planar import *\nf = lambda A: Planar(A)"],
    "if": ["if True:\n    def f(A): return A.det()"],
    "try": ["try:\n    def f(A): return A.det()\nfinally: pass"],
    "global": ["def install():\n    global f\n    f = torch.linalg.inv\ninstall()"],
    "a class": ["class f(checks.Chain): pass"],
    "a default": ["def f(A, chain=checks.Chain): return A"],
    "a decorator": ["@checks.Chain\ndef f(A): return A"],
    "an attribute of a module": ["def f(A): return plots.torch.linalg.inv(A)"],
    "an alias": ["L = torch.linalg\ndef f(A): return L.inv(A)"],
    "a module as a default": ["def f(A, *, L=torch.linalg): return L.inv(A)"],
    "an import inside": ["def f(A):\n    from torch import linalg\n    return linalg.inv(A)"],
    "getattr": ["def f(A): return getattr(torch.linalg, 'inv')(A)"],
    "numpy": ["import numpy as np\ndef f(A): return np.linalg.inv(A)"],
    "a given function": ["def f(z): return slow_sample(z)"],
    "a later name for it": ["def f(z): return Linear.from_matrix(z)"],
    "matplotlib": ["%matplotlib inline\ndef f(A): return A.det()"],
    "time": ["%%time\ndef f(A): return A.det()"],
    "a timed line": ["%time f = torch.linalg.inv"],
    "shell": ["!true\ndef f(A): return A.det()"],
    "another cell": ["def f(A): return g(A)", "def g(A): return A.det()"],
    "another cell, a magic": ["def f(A): return g(A)", "%%time\ng = torch.linalg.inv"],
    "all in another cell": ["1", "def f(A): return A.det()"],
    "a table": ["def f(A): return table['g'](A)", "table = {}", "table['g'] = torch.linalg.inv"],
    "a table updated": ["def f(A): return table['g'](A)", "table = {}", "table.update(g=torch.linalg.inv)"],
    "a table filled": [
        "def f(A): return table['g'](A)",
        "table = {}",
        "def fill(t): t['g'] = torch.linalg.inv\nfill(table)",
    ],
    "a table of two names": ["def f(A): return t['g'](A)", "t = {}", "u = t\nu['g'] = torch.linalg.inv"],
    "a table at hand": ["def f(A, t=[torch.linalg]): return t[0].inv(A)"],
    "a patched helper": ["def f(A): return h.g(A)", "class h: pass", "h.g = torch.linalg.inv"],
}
ALLOWED = {
    "what is allowed": ["def f(A): return torch.linalg.solve_triangular(A, A, upper=True)"],
    "an own name": ["lu = lambda A: A\ndef f(A): return lu(A)"],
    "an own local name": ["def f(A):\n    det = A + 1\n    return det"],
    "own methods": [
        "class Layer:\n"
        "    def __init__(self, A): self.A = A\n"
        "    def forward(self, z): return self.A @ z\n"
        "    def inverse(self, x): return self.solve(x)\n"
        "    def solve(self, x): return x\n"
        "def f(A):\n    layer = Layer(A)\n    return Layer(A).inverse(A), layer.inverse(A)"
    ],
    "an own class of that name": ["class Linear:\n    pass\ndef f(A): return Linear()"],
    "torch's Linear": ["def f(A): return nn.Linear(2, 2)(A)"],
    "a look at the answer": [
        "def f(x): return x",
        "x = torch.eye(2)\nprint(f(x) - torch.linalg.inv(x), Linear(2))",
        "def reference(A): return torch.linalg.inv(A)",
    ],
    "a comparison": [
        "model = [3]\ndef f(x): return model[0]",
        "print(Linear(2)(model[0]).mean(), f(model[0]).mean(), model.copy())",
    ],
    "data and plots": ["def f(n): return data.banana(n), plots.X_COLOR, checks.check_inverse"],
    "habits": [
        "class M(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.me = type(self)\n"
        "    def forward(self, z): return self.me, self.__class__.__name__\n"
        "def f(A):\n    assert type(A) is torch.Tensor, type(A).__name__\n"
        "    return M(), getattr(A, 'shape'), torch.no_grad()"
    ],
    "magics": ["%matplotlib inline\n%config InlineBackend.close_figures = True\n!ls\nf = 1"],
    "what does not run": ["def f(A): return A", "def f(A) return A.det()"],
}
DARK = {
    "getattr": ["def f(A): return getattr(torch.linalg, 'in' + 'v')(A)"],
    "getattr by another name": ["look = getattr\ndef f(A): return look(torch.linalg, 'inv')(A)"],
    "getattr, hidden": ["def f(A):\n    [getattr for getattr in ()]\n    return getattr(A, 'in' + 'v')()"],
    "importlib": ["import importlib\nf = importlib.import_module"],
    "__import__": ["f = __import__('flow' + 'lib')"],
    "exec": ["f = 1", "exec('f = 2')"],
    "eval": ["def f(A): return eval('A')"],
    "sys.modules": ["import sys\ndef f(A): return sys.modules['torch']"],
    "globals": ["def f(A): return globals()['slow_' + 'sample'](A)"],
    "vars": ["def f(A): return vars(torch)['det'](A)"],
    "__dict__": ["def f(A): return torch.__dict__['det'](A)"],
    "__class__": ["def f(A): return A.__class__(A)"],
    "type": ["def f(A): return type(A)(A)"],
    "type of one's own or another": ["class L: pass\nx = L()\nx = Ellipsis\nf = type(x)(1)"],
    "a name bound by chance": ["x = False and (Linear := 1)\ndef f(z): return Linear(z)"],
    "a name bound in a function": ["def g():\n    global Linear\n    Linear = 1\ndef f(z): return Linear(z)"],
    "pickle": ["import pickle\nf = pickle.loads"],
    "ctypes": ["from ctypes import cast as f"],
    "base64": ["import base64\nf = base64.b64decode"],
    "a module at large": ["def g(L, A): return L.other(A)\ndef f(A): return g(torch.linalg, A)"],
    "a private door": ["def f(A): return torch._C._linalg.linalg_inv(A)"],
    "a script": ["%run helper.py\nf = 1"],
    "the shell's Python": ["def f(A):\n    !python helper.py\n    return A"],
    "a changed library": ["def f(A): return torch.sinh(A)", "torch.sinh = 1"],
    "somebody's method": ["class L:\n    def det(self): pass\ndef f(A):\n    for l in [A]: l.det()"],
    "a kernel": ["f = 1", "get_ipython().run_cell('f = 2')"],
}


@pytest.mark.parametrize("form", FORBIDDEN)
def test_what_is_forbidden_is_found(form):
    message, _ = ask(*FORBIDDEN[form])
    assert "which this task does not allow: `" in message


@pytest.mark.parametrize("form", ALLOWED)
def test_what_is_allowed_passes_without_a_doubt(form):
    assert ask(*ALLOWED[form]) == ("", [])


@pytest.mark.parametrize("form", DARK)
def test_what_cannot_be_followed_goes_to_a_person(form):
    message, doubts = ask(*DARK[form])
    assert not message
    assert doubts and "`" in doubts[0]


def test_the_message_names_the_thing_and_its_line():
    message, _ = ask(
        "from scipy.stats import multivariate_normal as m\ndef f(A): return m(A)", forbids=["scipy"]
    )
    assert "uses m (scipy.stats.multivariate_normal)" in message
    assert "`def f(A): return m(A)`" in message
    message, _ = ask("def f(A): return A @ A", forbids=["products"])
    assert "uses @, which" in message


def test_a_definition_that_is_not_found_is_a_failure():
    assert "no cell of yours defines f" in ask("g = 1")[0]


def test_one_of_the_things_asked_for_must_be_used():
    wanted = ("flowlib.planar.Planar", "torch.nn.Parameter")
    assert not ask("def f(A): return nn.Parameter(A)", requires=wanted)[0]
    assert "does not use Planar or Parameter" in ask("def f(A): return A", requires=wanted)[0]


def test_a_given_function_stays_as_it_is():
    kept = GIVEN[GIVEN.index("def slow") :] + "\ndef f(z): return z"
    assert not ask(kept, keeps=["slow_sample"])[0]
    for change in ("slow_sample = f", "def slow_sample(z): return 2 * z"):
        assert "slow_sample has been changed" in ask(kept, change, keeps=["slow_sample"])[0]


def test_what_the_release_holds_is_nobodys_fault():
    look = "def gradients(layer, name): return getattr(layer, name)"
    for given in ([], [look]):
        with rules.submitted_sources({"task1": look + "\ndef f(z): return z"}, given) as doubts:
            rules.check_source("f", forbids=["flowlib"])
        assert bool(doubts) is not bool(given)


@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        ("from helper import g\ndef f(A): return g(A)", "refused"),
        ("import helper\ndef f(A): return helper.g(A)", "doubt"),
        ("from helper import *\ndef f(A): return g(A)", "refused"),
        ("from helper import h\ndef f(A): return h(A)", ""),
        ("from helper import h as k\ndef f(A): return k(A)", "doubt"),
        ("from nowhere import h\ndef f(A): return h(A)", ""),
    ],
)
def test_a_file_beside_the_notebook_is_read_too(cell, outcome):
    helper = "def g(A): return A.inverse()\ndef h(A): return A"
    with rules.submitted_sources({"task1": cell, "helper.py": helper}, [GIVEN]) as doubts:
        try:
            rules.check_source("f", **RULE)
        except checks.LawBroken:
            assert outcome == "refused"
        else:
            assert outcome == ("doubt" if doubts else "")


def test_in_the_cell_of_another_task_globals_may_be_read():
    cells = {"task1": "def f(z): return z", "task2": "g = globals()['f']"}
    for more, flagged in (("", False), ("\nglobals()['f'] = 2", True)):
        with rules.submitted_sources(cells | {"task2": cells["task2"] + more}) as doubts:
            rules.check_source("f", forbids=["flowlib"])
        assert bool(doubts) is flagged


def test_groups_name_what_exists():
    import importlib

    for entry in expand([group for group in GROUPS if group != "products"]):
        if not entry.startswith(("*.", "Tensor.", "functorch")):
            home, _, name = entry.rpartition(".")
            assert hasattr(importlib.import_module(home), name), entry


def test_deep_nesting_is_a_doubt_and_long_chains_are_read():
    _, doubts = ask("def f(z): return z", "x = " + "-" * 100_000 + "1")
    assert "nested too deep" in doubts[0]
    aliases = "\n".join(f"a{n + 1} = a{n}\na{n + 1} = a{n}" for n in range(60))
    assert ask(f"a0 = torch.linalg\n{aliases}\ndef f(z): return a60.inv(z)")[0]


def test_a_notebook_reads_its_own_history(monkeypatch):
    IPython = pytest.importorskip("IPython")
    shell = IPython.core.interactiveshell.InteractiveShell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    check = 'rules.check_source("f", forbids=("linalg",))'
    shell.user_ns["In"] = ["", GIVEN, "def f(A): return A.inverse()", "def f(A): return A.T", check]
    rules.check_source("f", forbids=("linalg",))
    rules.check_source("unknown", forbids=("linalg",))
    shell.user_ns["In"].append("%matplotlib inline\nif True:\n    f = torch.linalg.inv")
    with pytest.raises(checks.LawBroken, match=r"uses torch\.linalg\.inv"):
        rules.check_source("f", forbids=("linalg",))


def test_without_ipython_plain_python_is_read(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "IPython.core.inputtransformer2", None)
    reading = Reading({"task1": "def without_ipython(A): return A.inverse()"})
    assert any(use.matches("*.inverse") for use in reading.uses(["without_ipython"]))
