"""What has been graded so far: one line of JSON for each submission, appended and synced.

The journal is the truth of a run; the gradebook is filled from it. So a run that is killed at any
instant goes on where it stopped, and the gradebook ends the same. It is also the audit log: what
ran, with which versions, tests and seed, how long each test took and how it ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flowlib.course.exercises.exercise import Exercise
from flowlib.course.folders import CourseError
from flowlib.course.grading import private
from flowlib.course.grading.record import Record, from_json, to_json


class Journal:
    """An append-only file of results."""

    def __init__(self, path: Path):
        self.path = path
        self._file = open(private.file(path), "ab")  # noqa: SIM115  (open and locked for the whole run)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise CourseError(
                f"Another run is grading into {path.parents[1]}: wait for it, or use --out."
            ) from None
        if not os.path.samestat(os.fstat(self._file.fileno()), os.stat(path)):  # replaced by `erase` just now
            self._file.close()
            raise CourseError(f"{path} was being changed; run the same command again.")
        self._mend()
        self.records = read(path)
        self.odd = path.read_bytes().count(b"\n") - len(self.records)  # lines that are no records

    def latest(self) -> dict[str, Record]:
        """The last record of each student."""
        return {record.student: record for record in self.records}

    def append(self, record: Record) -> None:
        """Write one record; when this returns it survives any crash."""
        self._file.write(_line(record))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records.append(record)

    def erase(self, student: str) -> int:
        """Forget a student; how many records that were. Lines that are no records go too."""
        kept = [record for record in self.records if record.student != student]
        erased = len(self.records) - len(kept)
        if erased or self.odd:
            private.write(self.path, b"".join(map(_line, kept)).decode())
            self.records = kept
        return erased

    def close(self) -> None:
        self._file.close()

    def _mend(self) -> None:
        """Drop a last line that a crash has cut short."""
        self._file.truncate(self.path.read_bytes().rfind(b"\n") + 1)


def read(path: Path) -> list[Record]:
    """The whole records of a journal; a line that is none counts as not written."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [record for line in lines if (record := _record(line)) is not None]


def _line(record: Record) -> bytes:
    return json.dumps(to_json(record), ensure_ascii=True).encode() + b"\n"


def _record(line: bytes) -> Record | None:
    """What a line holds, if it holds all that a record must."""
    try:
        return from_json(Record, json.loads(line))
    except (ValueError, RecursionError):
        return None


def test_hash(exercise: Exercise) -> str:
    """Identifies what graded: setup, tests, points and reference answers."""
    digest = hashlib.sha256()
    for source in exercise.setup:
        digest.update(source.encode() + b"\0")
    for task in exercise.tasks:
        digest.update(task.source.encode() + b"\0")
        for test in task.tests:
            digest.update(f"{test.grade_id} {test.points} {test.source}".encode() + b"\0")
    for written in exercise.written:
        digest.update(f"{written.grade_id} {written.points}".encode() + b"\0")
    return digest.hexdigest()


def circumstances() -> dict[str, Any]:
    """When and with what this was graded."""
    packages = ("flowlib", "torch", "numpy", "scipy", "nbgrader", "ipython")
    return {
        "graded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": platform.node(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
