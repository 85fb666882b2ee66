"""Bring a student's clone of the course up to date, and lose nothing that the student wrote.

Running a lesson changes its file, and `git pull` refuses where a file that it brings was changed. So here
    a notebook that was only run (its outputs, numbers and metadata differ) is put back as the course has it;
    a file with work of the student's own that the update brings is kept beside: exercises.mine.ipynb;
    every other file of the student's stays as it is;
and then the clone moves forward, as `git pull --ff-only` does.

nbgitpuller, which does this on JupyterHubs, commits the student's notebooks and merges them line by line,
with `git merge -Xours`. Where the course has corrected a line beside the output of a student's run, the old
line wins, without a word (tests/test_update.py shows it); and a clone with commits of its own never just
follows again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flowlib.course.exercises.exercise import read_cells
from flowlib.course.folders import CourseError
from flowlib.course.git import git

UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


@dataclass(frozen=True)
class Updated:
    """What an update did, in paths below the course's folder."""

    brought: list[str]  # files that are new, changed or gone
    put_back: list[str]  # notebooks that had only been run
    kept: dict[str, str]  # a file that the update brought -> where the student's version is now
    left: list[str]  # files that the student has changed, and still has


def update(root: Path) -> Updated:
    """Bring the clone at `root` up to date.

    Raises:
        CourseError: it is no clone of the students' edition, the network or git fails, or the student has
            made commits. The message says what to do; all work is where it was.
    """
    _needs_clone(root)
    _fetch(root)
    brought = _names(root, "diff", "--name-only", "--no-renames", "HEAD", "@{upstream}")
    if not _count(root, "HEAD..@{upstream}"):
        brought = []  # what differs are the student's own commits
    elif _count(root, "@{upstream}..HEAD"):
        raise CourseError(
            "You have made commits of your own, so the course's new ones cannot simply follow. Nothing was "
            "changed. To merge them yourself: git pull --no-rebase"
        )
    known = set(_names(root, "ls-tree", "-r", "--name-only", "HEAD"))
    changed = _names(root, "diff", "--name-only", "--no-renames", "HEAD")
    put_back = [name for name in changed if name in known and _was_only_run(root, name)]
    here = {name for name in brought if (root / name).exists()}
    in_the_way = [name for name in brought if name in changed or name in here - known]
    mine = [name for name in in_the_way if name in here and name not in put_back]
    replaced = sorted({*put_back, *in_the_way})
    kept: dict[str, str] = {}
    try:
        for name in mine:
            aside = _free_name(root / name)
            (root / name).rename(aside)
            kept[name] = aside.relative_to(root).as_posix()
        if replaced:
            git(root, "reset", "--quiet", "--", *replaced)  # what was staged
        if set(replaced) & known:
            git(root, "checkout", "--", *(name for name in replaced if name in known))
        if brought:
            git(root, "merge", "--ff-only", "--quiet", "@{upstream}")
    except BaseException:
        for name, now in kept.items():
            (root / now).replace(root / name)
        raise
    return Updated(brought, put_back, kept, [name for name in changed if name not in replaced])


def _needs_clone(root: Path) -> None:
    """Refuse where nothing can be pulled, in words."""
    if (root / "solutions").is_dir():
        raise CourseError(f"{root} is the instructors' repository: update it with git itself.")
    if not (root / ".git").exists():
        raise CourseError(
            f"{root} is no clone (it holds no .git), so there is nothing to update from. Unpack the new "
            "edition into a folder of its own beside this one; your notebooks stay here."
        )
    about = root / git(root, "rev-parse", "--git-dir")
    if any((about / name).exists() for name in UNFINISHED):
        raise CourseError(
            "A merge or rebase is not finished; nothing was changed. `git status` says how to finish it or "
            "to take it back. Then update again."
        )
    try:
        git(root, "rev-parse", "@{upstream}")
    except CourseError as error:
        raise CourseError(
            f"Your branch follows none of the course's; nothing was changed. Try: git switch main\n({error})"
        ) from error


def _fetch(root: Path) -> None:
    try:
        git(root, "fetch", "--quiet")
    except CourseError as error:
        raise CourseError(f"The course's new version did not come; nothing was changed.\n{error}") from error


def _count(root: Path, commits: str) -> int:
    return int(git(root, "rev-list", "--count", commits))


def _names(root: Path, *words: str) -> list[str]:
    return [name for name in git(root, words[0], "-z", *words[1:]).split("\0") if name]


def _was_only_run(root: Path, name: str) -> bool:
    """Whether a notebook says what it said when it came; an empty cell at its end says nothing."""
    if not name.endswith(".ipynb") or not (root / name).is_file():
        return False
    try:
        now = (root / name).read_text(encoding="utf-8")
        return _cells(now) == _cells(git(root, "show", f"HEAD:{name}"))
    except (ValueError, KeyError, TypeError):  # it is no notebook any more
        return False


def _cells(notebook: str) -> list[tuple[str, str]]:
    return [(cell.kind, cell.source) for cell in read_cells(json.loads(notebook)) if cell.source.strip()]


def _free_name(path: Path) -> Path:
    """exercises.mine.ipynb, or exercises.mine-2.ipynb where that exists."""
    aside = path.with_name(f"{path.stem}.mine{path.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.mine-{number}{path.suffix}")
    return aside
