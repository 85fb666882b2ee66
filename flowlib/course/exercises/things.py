"""What a list of forbidden things means: groups, paths of libraries, and uses that a list may name.

expand(["linalg"], allows=["cholesky"])                   # "*.det", "*.inv", ...
Use("inv", "line", frozenset({"torch.linalg.inv"})).matches("*.inv")
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from types import FunctionType

__all__ = ["GROUPS", "LOOKING", "MISSING", "Use", "expand", "loaded", "thing"]

# What a list of forbidden things may say in one word. "*.det" is every library's det, and a tensor's.
GROUPS = {
    "linalg": """*.det *.logdet *.slogdet *.inv *.inverse *.inv_ex *.pinv *.pinverse *.solve *.solve_ex
        *.pinvh *.tensorsolve *.tensorinv *.lstsq *.lu *.lu_factor *.lu_factor_ex *.lu_solve *.lu_unpack *.ldl
        *.ldl_factor *.ldl_factor_ex *.ldl_solve *.cholesky *.cholesky_ex *.cholesky_inverse *.cholesky_solve
        *.cho_factor *.cho_solve *.qr *.rq *.geqrf *.ormqr *.householder_product *.eig *.eigh *.eigvals
        *.eigvalsh *.svd *.svdvals *.svd_lowrank *.pca_lowrank *.lobpcg *.schur *.hessenberg *.matrix_exp
        *.expm *.matrix_power *.matrix_rank *.solve_triangular *.triangular_solve torch.linalg.cond
        numpy.linalg.cond numpy.matrix numpy.asmatrix""",
    "products": """@ *.matmul *.mm *.bmm *.mv *.dot *.vdot *.vecdot *.einsum *.inner *.outer *.tensordot
        *.kron *.multi_dot *.chain_matmul *.linear *.bilinear *.addmm *.addmv *.addr *.addbmm *.baddbmm
        *.cdist *.conv1d *.conv2d *.conv3d *.convolve *.correlate scipy.linalg torch.nn.Linear
        torch.nn.Bilinear torch.nn.Conv1d torch.nn.Conv2d torch.nn.Conv3d""",
    "derivatives": "torch.autograd torch.func functorch Tensor.backward",
    "jacobians": "*.jacobian *.jacrev *.jacfwd *.hessian",
    "norms": """torch.nn.modules.batchnorm._NormBase torch.nn.GroupNorm torch.nn.LayerNorm torch.nn.RMSNorm
        *.batch_norm *.instance_norm *.group_norm *.layer_norm *.rms_norm *.native_batch_norm""",
}
LOOKING = (
    *("flowlib.checks", "flowlib.data", "flowlib.plots"),
    # What is reached through these but lives elsewhere.
    *("flowlib.answers", "flowlib.assets", "flowlib.drawing", "flowlib.course.exercises.rules"),
    *("flowlib.suspects.check_value", "flowlib.table.trade_off"),
)

MISSING = object()


def expand(entries: Iterable[str], allows: Collection[str] = ()) -> list[str]:
    """A list of forbidden things with its groups written out, less the functions of these names."""
    whole = [one for entry in entries for one in GROUPS.get(entry, entry).split()]
    return [one for one in whole if one.rpartition(".")[2] not in allows]


def loaded(name: str) -> object:
    """A module by its name if it is in memory, else MISSING; flowlib's own are imported for it."""
    ours = re.fullmatch(r"flowlib\.(?!course)\w+", name)  # only our own modules are loaded for reading
    if ours and name not in sys.modules and importlib.util.find_spec(name):
        importlib.import_module(name)
    return sys.modules.get(name, MISSING)


@functools.lru_cache(maxsize=4096)
def thing(path: str) -> tuple[str, object]:
    """A dotted path and its object in a loaded library; each module on the way under its own name."""
    name, *attributes = path.split(".")
    found = loaded(name)
    for attribute in attributes:
        if inspect.ismodule(found) and found.__name__.partition(".")[0] == "flowlib":
            inner = getattr(found, attribute, MISSING)  # ours load some names when they are asked for
        elif inspect.ismodule(found):
            inner = vars(found).get(attribute, MISSING)
            inner = loaded(f"{name}.{attribute}") if inner is MISSING else inner
        else:
            inner = inspect.getattr_static(found, attribute, MISSING) if inspect.isclass(found) else MISSING
        name, found = (inner.__name__ if inspect.ismodule(inner) else f"{name}.{attribute}"), inner
    return name, found


def _home(path: str) -> str:
    """The module of flowlib in which a function or class is written; else the path itself."""
    name, found = thing(path)
    if isinstance(found, type | FunctionType) and str(found.__module__).startswith("flowlib."):
        return f"{found.__module__}.{found.__name__}"
    return name


@functools.cache
def _names_of_flowlib() -> frozenset[str]:
    import pkgutil

    package = sys.modules["flowlib"]
    homes = [f"flowlib.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
    homes = [home for home in homes if home not in (*LOOKING, "flowlib.course")]
    names = {name for home in homes for name, thing in vars(loaded(home)).items() if callable(thing)}
    return frozenset(name for name in names if any(_home(f"{h}.{name}") == f"{h}.{name}" for h in homes))


@functools.lru_cache(maxsize=4096)
def _is(path: str, entry: str) -> bool:
    """Whether the object at a path is what an entry forbids, or lies in it, or derives from it."""
    if path.startswith("given."):
        return path == f"given.{entry}"
    if entry.startswith("*."):
        return path.endswith(entry[1:])
    if entry == "flowlib":
        return _home(path).startswith("flowlib.") and not _home(path).startswith(LOOKING)
    (name, found), (wanted, forbidden) = thing(path), thing(re.sub(r"^Tensor\.", "torch.Tensor.", entry))
    if inspect.ismodule(forbidden) or forbidden is MISSING:
        return f"{name}.".startswith(f"{wanted}.") or _home(path).startswith(f"{wanted}.")
    derived = inspect.isclass(found) and inspect.isclass(forbidden) and issubclass(found, forbidden)
    return name == wanted or found is forbidden or derived


@dataclass(frozen=True)
class Use:
    """A name, attribute or operator in the code: what it may be, and where it stands."""

    written: str
    line: str
    paths: frozenset[str]  # the objects of libraries, and `given.x` for a name of the release
    word: str = ""  # an attribute of something unknown
    unsure: bool = False  # it may also be something of the code's own

    @property
    def shown(self) -> str:
        """As it is written, and what it is where that does not show."""
        what = min(self.paths, default="").removeprefix("given.")
        hidden = what.rpartition(".")[2] != self.written.rpartition(".")[2] and not self.unsure
        return f"{self.written} ({what})" if what and hidden else self.written

    def matches(self, entry: str) -> bool:
        """Whether this is the thing that an entry of a list names."""
        if self.word and self.word == entry.rpartition(".")[2]:
            return True
        if self.word and entry == "flowlib" and self.word in _names_of_flowlib():
            return True
        return any(_is(path, entry) for path in self.paths)
