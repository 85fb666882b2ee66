"""Runs the real command on the small course, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.grading.course import LESSON, Class

FAST = ["--cell-seconds", "4", "--total-seconds", "60", "--memory", "1500"]


def command(klass: Class, *options: str, out: str = "out", word: str = "grade") -> list[str]:
    """flowcourse grade on a class, with the results in `out`."""
    where = ["--submitted", str(klass.submitted), "--out", str(klass.root / out)]
    return [sys.executable, "-m", "flowlib.course.cli", word, LESSON, *where, *options]


def grade(
    klass: Class, *options: str, out: str = "out", word: str = "grade", **more
) -> subprocess.CompletedProcess:
    """Run the command to its end."""
    environment = os.environ | {"SECRET_TOKEN": "TOKEN-1234", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    more = {"capture_output": True, "text": True, "timeout": 900} | more
    return subprocess.run(
        command(klass, *options, out=out, word=word), cwd=klass.root, env=environment, **more
    )


def entries(klass: Class, out: str = "out") -> dict[str, dict]:
    """The last line of each student in the journal, as it stands in the file."""
    log = klass.root / out / "journal" / f"{LESSON}.jsonl"
    lines = [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
    return {entry["student"]: entry for entry in lines}


def points(entry: dict) -> float:
    """The points from tests."""
    return sum(outcome["score"] for outcome in entry["tests"].values())


def executed(klass: Class, student: str, out: str = "out") -> dict:
    """The executed notebook of a student."""
    return json.loads((klass.root / out / "autograded" / student / LESSON / "exercises.ipynb").read_text())


def feedback(klass: Class, student: str, out: str = "out") -> str:
    """The feedback page of a student."""
    return (klass.root / out / "feedback" / student / LESSON / "exercises.html").read_text()


def book(klass: Class, out: str = "out", url: str | None = None) -> list[tuple]:
    """The gradebook row by row, without the random names of rows."""
    from sqlalchemy import create_engine, text

    engine = create_engine(url or f"sqlite:///{Path(klass.root) / out / 'gradebook.db'}")
    grades = """
        SELECT s.student_id, c.name, g.auto_score, g.manual_score, g.needs_manual_grade,
               n.flagged, s.timestamp
        FROM grade g JOIN submitted_notebook n ON g.notebook_id = n.id
        JOIN submitted_assignment s ON n.assignment_id = s.id JOIN base_cell c ON g.cell_id = c.id
        ORDER BY 1, 2"""
    comments = """
        SELECT s.student_id, c.name, k.auto_comment, k.manual_comment
        FROM comment k JOIN submitted_notebook n ON k.notebook_id = n.id
        JOIN submitted_assignment s ON n.assignment_id = s.id JOIN base_cell c ON k.cell_id = c.id
        ORDER BY 1, 2"""
    with engine.connect() as connection:
        rows = [tuple(row) for query in (grades, comments) for row in connection.execute(text(query))]
    engine.dispose()
    return sorted(rows, key=repr)
