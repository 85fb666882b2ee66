"""The program git, as the course's commands call it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from flowlib.course.folders import CourseError


def git(folder: Path, *words: str, given: str = "") -> str:
    """Run git in a folder; what it prints.

    Args:
        given: what it reads from its standard input.

    Raises:
        CourseError: git is not installed, or fails; the message holds its own words.
    """
    # Inside a hook git's variables point to the repository of the hook.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise CourseError("git is not installed. It is at https://git-scm.com") from None
    if done.returncode:
        raise CourseError(f"git {words[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")
