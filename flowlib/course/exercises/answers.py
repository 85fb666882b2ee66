'''Right and wrong attempts at the tasks, kept beside the solutions to test the tests.

`solutions/NN_name/answers/task1.py` holds those at task 1, each under a heading:

    # %% wrong: sign
    """
    caught_by: task1_test
    says: the sign
    why: returns the inverse's log-determinant

    -     return a * z, log_det
    +     return a * z, -log_det
    """

Above the empty line stand `why` and, of a wrong one, the test cell that it is `caught_by` and words that
this cell `says`. Below stands a change of the solution, as in a diff: a line with `-` goes, one with `+`
comes, one with two spaces stays and shows where. Code keeps its indentation behind the sign and a space.
After an empty line the next change begins. The lines of a change that stay or go must stand in the solution
once, one below the other. With `from: loops` above, it is a change of the right answer `loops`, higher up in
the file. An answer that is written differently has no change: its code follows the closing quotes.
'''

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import yaml

from flowlib.course.exercises.exercise import SOLUTION, Exercise

HEADING = re.compile(r"# %% (right|wrong): (\w+)")
QUOTES = '"""'


@dataclass(frozen=True)
class Answer:
    """An attempt at one task; `verdict` is right or wrong, and only a wrong one is caught by a test."""

    verdict: str
    task: str
    title: str
    source: str
    why: str
    caught_by: str = ""
    says: str = ""

    @property
    def right(self) -> bool:
        return self.verdict == "right"

    @property
    def name(self) -> str:
        return f"{self.verdict}_{self.task}_{self.title}"


def read_answers(work: Exercise) -> list[Answer]:
    """All answers to the tasks of an exercise, sorted by name.

    Raises:
        ValueError: a file or a section of it is not as the format asks; the message says where and what.
    """
    found: list[Answer] = []
    references = {task.grade_id: without_markers(task.source) for task in work.tasks}
    for path in sorted((work.path.parent / "answers").glob("*.py")):
        if path.stem not in references:
            raise ValueError(f"{path} is named after no task; there are {', '.join(references)}")
        right: dict[str, str] = {}
        for number, section in _sections(path):
            try:
                answer = _answer(section, path.stem, references[path.stem], right)
                if answer.name in {other.name for other in found}:
                    raise ValueError("an answer above has this name")
            except (ValueError, yaml.YAMLError) as error:
                raise ValueError(f"{path}, line {number}, {section[0]!r}: {error}") from error
            found.append(answer)
            if answer.right:
                right[answer.title] = answer.source
    return sorted(found, key=lambda answer: answer.name)


def without_markers(source: str) -> str:
    """A solution cell as a student would have written it."""
    return "\n".join(line for line in source.split("\n") if not any(mark in line for mark in SOLUTION))


def _sections(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of each section, its heading first, and the number of that line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"# ?%%", line)]
    for number, line in enumerate(lines[: starts[0] if starts else None]):
        if line and not line.startswith("#"):  # comments are the header that jupytext may write
            raise ValueError(f"{path}, line {number + 1}: {line!r} stands above the first `# %%` heading")
    for start, end in pairwise([*starts, len(lines)]):
        yield start + 1, lines[start:end]


def _answer(section: list[str], task: str, reference: str, right: dict[str, str]) -> Answer:
    """The answer of a section, which may be a change of the reference or of a right answer."""
    heading = HEADING.fullmatch(section[0])
    if not heading:
        raise ValueError("a heading is `# %% right: name` or `# %% wrong: name`")
    if section[1:2] != [QUOTES] or QUOTES not in section[2:]:
        raise ValueError('a docstring must follow, its """ on lines of their own')
    end = section.index(QUOTES, 2)
    blocks = [list(lines) for filled, lines in groupby(section[2:end], key=bool) if filled]
    about = yaml.safe_load("\n".join(blocks.pop(0))) if blocks else None
    if not isinstance(about, dict):
        raise ValueError("the docstring must begin with lines of `key: value`")
    wanted = ["why"] if heading[1] == "right" else ["caught_by", "says", "why"]
    if missing := [key for key in wanted if key not in about]:
        raise ValueError(f"the docstring lacks {', '.join(missing)}")
    if unknown := [str(key) for key in about if key not in (*wanted, "from")]:
        raise ValueError(f"the docstring has {', '.join(unknown)}, which says nothing")
    source = "\n".join(section[end + 1 :]).strip("\n")
    if bool(source) == bool(blocks):
        raise ValueError("either a change stands in the docstring or code below it")
    if blocks:
        if (base := about.pop("from", None)) not in (None, *right):
            raise ValueError(f"no right answer above has the name {base!r}")
        source = changed(reference if base is None else right[base], blocks)
    return Answer(heading[1], task, heading[2], source + "\n", **{key: str(about[key]) for key in wanted})


def changed(source: str, changes: list[list[str]]) -> str:
    """The source after changes, each the lines of one, with their signs.

    Raises:
        ValueError: the lines that stay or go do not stand in the source, or more than once.
    """
    source = source.strip("\n") + "\n"
    for change in changes:
        if wrong := [line for line in change if not re.match(r"[-+ ]( |$)", line)]:
            raise ValueError(f"a line of a change begins with `- `, `+ ` or two spaces, not {wrong[0]!r}")
        old = "".join(f"{line[2:]}\n" for line in change if line[0] != "+")
        new = "".join(f"{line[2:]}\n" for line in change if line[0] != "-")
        places = list(re.finditer("^" + re.escape(old), source, re.MULTILINE))
        if not old or len(places) != 1:
            raise ValueError(f"the lines to change must stand once, not {len(places)} times:\n{old}")
        source = source[: places[0].start()] + new + source[places[0].end() :]
    return source.strip("\n")
