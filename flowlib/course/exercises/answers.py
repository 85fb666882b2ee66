"""Right and wrong attempts at the tasks, kept beside the solutions to test the tests."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Answer:
    """An attempt at one task, kept beside the solutions to test the tests."""

    path: Path
    task: str
    source: str
    caught_by: str
    says: str
    why: str

    @property
    def right(self) -> bool:
        return self.path.name.startswith("right_")

    @property
    def name(self) -> str:
        return self.path.stem


def read_answers(folder: str | Path) -> list[Answer]:
    """The answer files of a folder, sorted by name.

    Raises:
        ValueError: a file whose docstring lacks what the format asks; the message says what.
    """
    return [read_answer(path) for path in sorted(Path(folder).glob("*.py"))]


def read_answer(path: str | Path) -> Answer:
    """One answer file: a docstring of `key: value` lines (YAML), then the source of the cell."""
    path = Path(path)
    content = path.read_text(encoding="utf-8")
    module = ast.parse(content, filename=str(path))
    docstring = ast.get_docstring(module)
    if docstring is None:
        raise ValueError(f"{path} has no docstring; begin it with task: and, if wrong, caught_by: and says:")
    about = yaml.safe_load(docstring)
    if not isinstance(about, dict):
        raise ValueError(f"{path}: the docstring must be lines of `key: value`, got {docstring!r}")
    if not path.name.startswith(("right_", "wrong_")):
        raise ValueError(f"{path}: an answer file is named right_*.py or wrong_*.py")
    wanted = {"task", "why"} if path.name.startswith("right_") else {"task", "caught_by", "says", "why"}
    if missing := wanted - about.keys():
        raise ValueError(f"{path}: the docstring lacks {', '.join(sorted(missing))}")
    lines = content.splitlines()
    source = "\n".join(lines[module.body[0].end_lineno :]).strip("\n") + "\n"
    return Answer(
        path=path,
        task=about["task"],
        source=source,
        caught_by=str(about.get("caught_by", "")),
        says=str(about.get("says", "")),
        why=str(about["why"]),
    )
