"""Folders to work in, under the system's temporary one, that nobody leaves behind.

Each is locked for as long as its owner lives. So what a killed run has left can be told from what
another run is using, and is swept away when the next one starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "flowcourse-"
YOUNG = 60.0  # seconds: a folder may be new and not locked yet


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new folder, which others may enter; it goes at the end, with all that it holds."""
    place = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place.chmod(0o755)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def sweep() -> int:
    """Remove the folders whose owner is dead; how many those were."""
    swept = 0
    for place in Path(tempfile.gettempdir()).glob(f"{PREFIX}????????"):
        with contextlib.suppress(OSError):  # another sweeps too, or it is another user's
            status = place.lstat()
            old = time.time() - status.st_mtime > YOUNG
            if old and status.st_uid == os.geteuid() and place.is_dir() and _nobodys(place):
                shutil.rmtree(place, ignore_errors=True)
                swept += 1
    return swept


def _nobodys(place: Path) -> bool:
    lock = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
