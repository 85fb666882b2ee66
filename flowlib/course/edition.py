"""Write the students' edition: the course without solutions, hidden tests and what only instructors need.

The repository is the instructors'. Whoever clones it has the answers, so students get an edition of
its own. What may be in it is listed here; everything else stays away. Before a byte is written all of
it is searched for the lines that only instructors may see.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from flowlib.course.exercises import exercise
from flowlib.course.exercises.release import releasable, student_version
from flowlib.course.folders import NOTEBOOK, CourseError
from flowlib.course.git import git

COPIED = (
    "README.md",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "environment.yml",
    "LICENSE*",
    "CITATION.cff",
    ".gitignore",
    ".devcontainer/*",
    "lessons/*/lesson.ipynb",
    "lessons/*/demo.ipynb",
    "flowlib/**/*.py",
    "flowlib/py.typed",
    "flowlib/course/pages/static/*",
    "flowlib/course/pages/templates/*",
    "assets/**/*",
)
TITLE = "<!-- The students' edition, written by flowcourse student-edition. -->\n"
# In README and Makefile, what stands between such marks is the instructors'.
INSTRUCTORS = re.compile(r"(?:<!--|#) instructors\b.*?end instructors(?: -->)?\n?", re.DOTALL)
SECRET_LENGTH = (
    46  # characters from which a line gives something away; shorter ones are common to many programs
)


@dataclass(frozen=True)
class Edition:
    """The files of an edition by name, and how it was searched."""

    files: dict[str, bytes]
    secrets: int  # how many lines it was searched for
    shared: dict[str, str]  # lines of solutions that a lesson or flowlib shows as well, and where they stand


def make(root: Path) -> Edition:
    """The students' edition of the course at `root`, searched.

    Raises:
        CourseError: a file would give away a line that only instructors may see; the message names it.
    """
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for pattern in COPIED
        for path in sorted(root.glob(pattern))
        if path.is_file() and not any(part in ("__pycache__", ".ipynb_checkpoints") for part in path.parts)
    }
    for name in ("README.md", "Makefile"):
        if name in files:
            files[name] = INSTRUCTORS.sub("", files[name].decode()).encode()
    files["README.md"] = TITLE.encode() + files.get("README.md", b"")
    released = {f"lessons/{lesson}/{NOTEBOOK}": student_version(root, lesson) for lesson in releasable(root)}
    files |= released
    lines, shared = secret_lines(root, released)
    found = list(search(files, lines))
    if found:
        shown = "\n".join(f"  {name}: {line}\n    (from {lines[line]})" for name, line in found[:10])
        raise CourseError(
            f"Nothing was written: {len(found)} lines that only instructors may see would be in it.\n{shown}"
        )
    return Edition(dict(sorted(files.items())), len(lines), shared)


# ---------------------------------------------------------------------------- what is secret


def secret_lines(root: Path, released: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """The lines that only instructors may see, and those of solutions that the course shows elsewhere.

    Lines of solution, hidden-test and marking regions, of answer files and of model answers; of at least
    SECRET_LENGTH characters; that stand neither in a released notebook nor, if they are code, in a
    lesson or flowlib.

    Returns:
        two dicts from a line, its spaces made one, to where it stands.
    """
    public = {line for name, content in released.items() for line in _lines(name, content)}
    secret: dict[str, str] = {}
    code: dict[str, str] = {}
    for line, where, is_code in _instructors_lines(root):
        if len(line) >= SECRET_LENGTH and line not in public:
            (code if is_code else secret)[line] = where
    taught = {f"{name}.py": _code(name, content) for name, content in _published(root)}
    shared = {line: f"{name.removesuffix('.py')} and {code[line]}" for name, line in search(taught, code)}
    secret |= {line: where for line, where in code.items() if line not in shared}
    return secret, shared


def _instructors_lines(root: Path) -> Iterator[tuple[str, str, bool]]:
    """Every line that solutions/ keeps from students: (line, where it stands, whether it is code)."""
    for path in sorted((root / "solutions").glob(f"*/{NOTEBOOK}")):
        for cell in exercise.read_cells(json.loads(path.read_text(encoding="utf-8"))):
            kept = _split(exercise.public(cell.source))
            where = f"{path.relative_to(root)}, {cell.grade_id or 'a cell'}"
            for line in _split(cell.source):
                if line not in kept:
                    yield line, where, cell.kind == "code"
    for path in sorted((root / "solutions").glob("*/answers/*")):
        if path.is_file():
            for line in _split(path.read_text(encoding="utf-8", errors="replace")):
                yield re.sub("^[-+] ", "", line), str(path.relative_to(root)), True  # the sign of a change


def _published(root: Path) -> Iterator[tuple[str, bytes]]:
    """Lessons and flowlib as last committed: a line that slipped in since then is not public yet."""
    archive = ["git", "-C", str(root), "archive", "HEAD", "lessons", "flowlib"]
    done = subprocess.run(archive, capture_output=True) if (root / ".git").exists() else None
    if done and done.returncode == 0:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as packed:
            for member in packed:
                if member.isfile() and (file := packed.extractfile(member)):
                    yield member.name, file.read()
        return
    for folder in ("lessons", "flowlib"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _code(name: str, content: bytes) -> bytes:
    """A file of flowlib, or the code cells of a lesson; b"" for any other."""
    if name.endswith(".py"):
        return content
    if not name.endswith(("/lesson.ipynb", "/demo.ipynb")):
        return b""
    cells = exercise.read_cells(json.loads(content))
    return "\n".join(cell.source for cell in cells if cell.kind == "code").encode()


# ---------------------------------------------------------------------------- the search


def search(files: Mapping[str, bytes], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each secret line that stands in a file, alone or within a longer line: (file, secret line)."""
    starts: dict[str, list[str]] = {}
    for line in secrets:
        starts.setdefault(line[:SECRET_LENGTH], []).append(line)
    for name, content in files.items():
        for line in _lines(name, content):
            for at in range(len(line) - SECRET_LENGTH + 1):
                for secret in starts.get(line[at : at + SECRET_LENGTH], ()):
                    if line.startswith(secret, at):
                        yield name, secret


def _lines(name: str, content: bytes) -> set[str]:
    """The lines of a file, whatever its kind, with their spaces made one."""
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    text = content.decode("utf-8", "ignore")
    if name.endswith(".ipynb"):
        return {line for words in _strings(json.loads(text)) for line in _split(words)}
    return set(_split(unescape(text)) if name.endswith((".html", ".md")) else _split(text))


def _strings(value: object) -> Iterator[str]:
    """Every string in a notebook, its keys too; lists of lines as the text that they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield "".join(value)
        else:
            for item in value:
                yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)


def _split(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


# ---------------------------------------------------------------------------- writing it


def write(edition: Edition, out: Path, root: Path) -> None:
    """Write an edition as a new folder, or as a zip file if `out` ends in .zip.

    Raises:
        CourseError: something is at `out` already, or it lies in what is copied.
    """
    _refuse_inside(out, root)
    if out.suffix.lower() == ".zip":
        if out.exists():
            raise CourseError(f"{out} exists already: delete it, or name another.")
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in edition.files.items():
                archive.writestr(f"{out.stem}/{name}", content)
                archive.filelist[-1].external_attr = 0o100644 << 16
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} exists already and is not empty: delete it, or name another.")
    _fill(out, edition.files)


def write_repository(edition: Edition, out: Path, root: Path) -> bool:
    """Write an edition as a git repository of its own, or as the next commit of one written before.

    Its history begins with the students' edition: nothing of the instructors' is in it.

    Returns:
        whether there was anything to commit.

    Raises:
        CourseError: `out` holds something else, or changes that are not committed; or git fails.
    """
    _refuse_inside(out, root)
    if out.suffix.lower() == ".zip":
        raise CourseError("A zip file is no repository: name a folder, or leave out --git.")
    known = [path.name for path in out.iterdir()] if out.is_dir() else []
    if known in ([], [".git"]):  # new, or a clone of a repository that is still empty
        out.mkdir(parents=True, exist_ok=True)
        git(out, "init", "--quiet", *(() if known else ("--initial-branch=main",)))
    elif ".git" not in known or not (out / "README.md").is_file():
        raise CourseError(f"{out} exists already and is no students' edition in git: name another folder.")
    elif not (out / "README.md").read_text(encoding="utf-8").startswith(TITLE):
        raise CourseError(f"{out} is another repository: its README was not written by student-edition.")
    elif changed := git(out, "status", "--porcelain"):
        raise CourseError(f"{out} holds changes that are not committed:\n{changed}")
    for name in git(out, "ls-files", "-z").split("\0"):
        if name and name not in edition.files:
            (out / name).unlink(missing_ok=True)
    git(out, "add", "--update")
    _fill(out, edition.files)
    # By name: what somebody's global settings ignore belongs in it all the same.
    git(
        out, "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", given="\0".join(edition.files)
    )
    if not git(out, "status", "--porcelain", "--untracked-files=no"):
        return False
    someone = (
        [] if git(out, "config", "--default=", "user.email") else ["user.name=Flow course", "user.email="]
    )
    identity = [word for setting in someone for word in ("-c", setting)]
    git(out, *identity, "commit", "--quiet", "--no-verify", "-m", "The flow course, students' edition")
    return True


def _refuse_inside(out: Path, root: Path) -> None:
    out = out.resolve()
    if root.is_relative_to(out) or any(
        out.is_relative_to(root / name) for name in ("lessons", "flowlib", "assets")
    ):
        raise CourseError(
            f"{out} is part of the course itself: name a folder beside it, such as ../students."
        )


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
