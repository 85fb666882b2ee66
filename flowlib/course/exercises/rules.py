"""What a task forbids, and the seeds of what its hidden tests draw.

At grading the judge says what was handed in (`submitted_sources`) and which class it is (`hidden_seeds`);
in a notebook the history is read, and a seed is what it says.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from flowlib.course.exercises import lookups, things
from flowlib.course.exercises.sources import Reading
from flowlib.suspects import broken

__all__ = [
    "check_source", "hidden_seed", "hidden_seeds", "submitted_sources",
]  # fmt: skip


_secret: str | None = None


@contextmanager
def hidden_seeds(secret: str) -> Iterator[None]:
    """Let `hidden_seed` draw from a secret inside the block."""
    global _secret
    before, _secret = _secret, secret
    try:
        yield
    finally:
        _secret = before


def hidden_seed(number: int) -> int:
    """The seed of what a hidden test draws.

    In a notebook it is `number` itself. At grading it is derived from `number` and the secret key of the
    class, so that nobody can know beforehand on which numbers an answer will be tried.
    """
    if _secret is None:
        return number
    return int.from_bytes(hmac.digest(_secret.encode(), str(number).encode(), "sha256")[:4], "big") >> 1


_submission: tuple[Reading, list[str]] | None = None


@contextmanager
def submitted_sources(cells: Mapping[str, str], released: Iterable[str] = ()) -> Iterator[list[str]]:
    """Let `check_source` read these cells inside the block, instead of the notebook's history.

    Args:
        cells: all code that was handed in: name of a cell (of its task, for a task's cell) -> source.
        released: the code cells of the exercise as it was handed out.

    Yields:
        a list that `check_source` fills with what a person should look at.
    """
    global _submission
    before, _submission = _submission, (_read(tuple(cells.items()), tuple(released)), [])
    try:
        yield _submission[1]
    finally:
        _submission = before


@functools.lru_cache(maxsize=4)  # the tests of a submission ask for the same cells one after the other
def _read(cells: tuple[tuple[str, str], ...], released: tuple[str, ...]) -> Reading:
    return Reading(dict(cells), released)


def check_source(
    *names: str,
    forbids: Iterable[str] = (),
    allows: Iterable[str] = (),
    requires: Iterable[str] = (),
    keeps: Iterable[str] = (),
) -> None:
    """The definitions of these names use nothing that the task forbids, and one of the things it asks for.

    Args:
        names: functions, classes or variables that the task asks for.
        forbids: what may not be used: "flowlib" (all of it but checks, data and plots), a module, class
            or function by its path ("flowlib.planar", "torch.linalg.inv", "Tensor.backward"), "*.det" (of
            any library, or a tensor's method), "@", a name that the exercise gives, or a group of
            `flowlib.course.exercises.things.GROUPS`.
        allows: functions of a group that may be used nevertheless, as "solve_triangular".
        requires: things of which one must be used.
        keeps: given functions that must stay as they are.

    Raises:
        LawBroken: naming what was used, and the line. In a notebook, silent where no definition is found.
    """
    reading, doubts = _submission or (_history(names), [])
    if reading is None:
        return
    uses, forbidden = reading.uses(names), things.expand(forbids, list(allows))
    for name in names:
        if not reading.binds(name):
            write = f"write `def {name}(...)`, or a class or variable of that name, in the cell of this task"
            raise broken(
                "check_source", f"no cell of yours defines {name} where it can be read: {write}", None
            )
    for use in uses:
        entry = next((entry for entry in forbidden if use.matches(entry)), None)
        if entry and use.unsure:
            doubts.append(f"{use.shown} may be {entry}, which the task forbids: `{use.line}`")
        elif entry:
            fact = f"your code uses {use.shown}, which this task does not allow: `{use.line}`"
            raise broken("check_source", fact, None)
    for name in keeps:
        if _submission and not reading.kept(name):
            raise broken(
                "check_source", f"the given function {name} has been changed: leave it as it is", None
            )
    if forbidden:
        doubts += lookups.doubts(reading, names)
    wanted = list(requires)
    if wanted and not any(use.matches(entry) for use in uses for entry in wanted):
        asked = " or ".join(entry.rpartition(".")[2] for entry in wanted)
        raise broken("check_source", f"{names[0]} does not use {asked}, which this task asks for", None)


def _history(names: Iterable[str]) -> Reading | None:
    """In a notebook: its newest cells that define the names; the others tell what imported names mean."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    cells = [] if shell is None else [str(cell) for cell in shell.user_ns.get("In", [])]
    cells = [cell for cell in cells if "check_source(" not in cell]
    newest = {}
    for name in names:
        defining = [number for number, cell in enumerate(cells) if Reading({"": cell}).binds(name)]
        if not defining:
            return None
        newest[f"In[{defining[-1]}]"] = cells[defining[-1]]
    return Reading(newest, [cell for cell in cells if cell not in newest.values()])
