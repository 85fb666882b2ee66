"""Files and folders that only their owner may read: what is made here tells of students."""

from __future__ import annotations

import os
from pathlib import Path


def folder(path: Path) -> Path:
    """Make a folder and what is missing above it. One that exists keeps the rights that somebody gave it."""
    for missing in reversed([part for part in (path, *path.parents) if not part.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return path


def file(path: Path) -> Path:
    """Make an empty file, unless it exists."""
    folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    return path


def write(path: Path, content: str) -> None:
    """Write a text in one step: whoever reads finds the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    file(part).write_text(content, encoding="utf-8", errors="replace", newline="")
    part.replace(path)
