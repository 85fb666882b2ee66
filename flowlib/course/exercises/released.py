"""What tells a released notebook from one that somebody has typed into. It needs none of nbgrader."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flowlib.course.exercises.exercise import text


def is_edited(released: Path) -> bool:
    """Whether somebody has changed the cells of a released notebook; running them changes nothing."""
    if not released.is_file():
        return False
    try:
        notebook = json.loads(released.read_text(encoding="utf-8"))
        return notebook["metadata"]["flowcourse"]["released"] != fingerprint(notebook)
    except (ValueError, KeyError, TypeError):  # not what release writes, so somebody's
        return True


def fingerprint(notebook: dict) -> str:
    """Identifies the cells of a notebook: their kinds and sources."""
    cells = [[cell["cell_type"], text(cell)] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]
