"""What comes of the results: report.html, tables of points for nbgrader, Canvas and Moodle, students' pages.

Each lesson has a folder of its own, and `grades.csv` above them covers the course.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flowlib.course.grading import feedback, private, similarity
from flowlib.course.grading.run import Run, mistakes


def write(run: Run) -> int:
    """Write the tables and the report, and bring every feedback page up to the gradebook.

    Returns:
        how many pages changed, because a person has marked or commented since they were written.
    """
    run.pairs = similarity.compare(run.sources, run.exercise)
    out = run.plan.out
    lesson = out / run.plan.assignment
    _table(out / "grades.csv", run.course)
    _table(lesson / "grades.csv", run.rows)
    _table(lesson / "grades_canvas.csv", canvas(run))
    _table(lesson / "grades_moodle.csv", moodle(run))
    private.write(lesson / "report.html", page(run))
    return sum(_bring_up(run, student) for student in run.records)


def _bring_up(run: Run, student: str) -> bool:
    """Put the marks of the gradebook into a student's feedback page; whether that changed it."""
    path = run.plan.out / "feedback" / student / run.plan.assignment / "exercises.html"
    if student not in run.marks or not path.is_file():  # a submission that nobody could open has no page
        return False
    old = path.read_text(encoding="utf-8")
    new = feedback.with_marks(old, run.exercise, run.records[student], run.marks[student])
    if new != old:
        private.write(path, new)
    return new != old


def canvas(run: Run) -> list[dict]:
    """Rows for Canvas's gradebook import: a first row with the points possible, then one a student."""
    name, most = run.plan.assignment, run.exercise.points
    start = {"Student": "Points Possible", "ID": "", "SIS Login ID": "", "Section": "", name: f"{most:g}"}
    rows = [
        {
            "Student": f"{row['last_name']}, {row['first_name']}".strip(", ") or row["student_id"],
            "ID": "",
            "SIS Login ID": row["student_id"],
            "Section": "",
            name: f"{row['score']:g}",
        }
        for row in run.rows
    ]
    return [start, *rows]


def moodle(run: Run) -> list[dict]:
    """Rows for Moodle's grade import."""
    return [
        {
            "Identifier": row["student_id"],
            "Full name": f"{row['first_name']} {row['last_name']}".strip() or row["student_id"],
            "Email address": row["email"],
            "Grade": f"{row['score']:g}",
            "Maximum grade": f"{row['max_score']:g}",
            "Feedback comments": "; ".join(_comments(run, row["student_id"])),
        }
        for row in run.rows
    ]


def _comments(run: Run, student: str) -> list[str]:
    """What a student should read: why the grader stopped at the work, and what a person wrote."""
    return [*run.records[student].why, *run.marks[student].comments.values()]


def _table(path: Path, rows: list[dict]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    private.write(path, text.getvalue())


# A sign alone makes no formula: -anna and +49 170 stay as they are. What computes, calls or refers does.
_FORMULA = re.compile(r"[=\t\r]|[+\-@](?:[A-Za-z]{1,3}\d|.*[-+*/^&<>=()!|:;%\"{}\[\]\\$])", re.DOTALL)


def _cell(value) -> str:
    """A cell that no spreadsheet takes for a formula: names of students are strangers' words too."""
    words = str(value)
    return "'" + words if _FORMULA.match(words) else words


def page(run: Run) -> str:
    """The report as one page."""
    if not run.records:
        return feedback.document(f"Report: {run.plan.assignment}", "<p>There are no submissions.</p>")
    records = run.records.values()
    totals = [record.total for record in records]
    most = run.most_from_tests
    seconds = [record.seconds for record in records]
    share = {
        task.grade_id: float(np.mean([record.points(task) / task.points for record in records]))
        for task in run.exercise.tasks
        if task.points
    }
    parts = [
        f"<h1>{html.escape(run.plan.assignment)}</h1>",
        f"<p>{len(totals)} submissions; median {np.median(totals):g} of {most:g} points from tests, "
        f"mean {np.mean(totals):.1f}; grading took {np.median(seconds):.1f} s a submission (median).</p>",
    ]
    if run.without_walls:
        parts.append(
            "<p class='err'><b>Graded without a sandbox.</b> Code could reach the tests that judge it.</p>"
        )
    parts += [
        "<h2>Points</h2>",
        _picture(_distribution(totals, most), "how many submissions got how many points"),
        "<h2>Tasks</h2>",
        _picture(_difficulty(share), "mean share of points for each task"),
        "<h2>Commonest mistakes</h2>",
        _html_table(("test", "diagnosis", "students"), mistakes(run.records)[:20]),
        "<h2>Needs a person</h2>",
        _html_table(("student", "why"), [(s, "; ".join(why)) for s, why in run.needs_person.items()]),
        "<h2>Alike</h2>",
        "<p>Similar code is a reason to look, not a proof. The given code is not counted.</p>",
        _html_table(("one", "other", "shared"), [(p.one, p.other, _shares(p)) for p in run.pairs]),
        *_not_compared(run),
        "<h2>Repaired</h2>",
        _html_table(
            ("student", "what"), [(s, "; ".join(r.notes)) for s, r in run.records.items() if r.notes]
        ),
    ]
    return feedback.document(f"Report: {run.plan.assignment}", "\n".join(parts))


def _shares(pair: similarity.Pair) -> str:
    """In which tasks two students are alike, and how much."""
    return ", ".join(f"{task} {100 * share:.0f} %" for task, share in pair.tasks.items())


def _not_compared(run: Run) -> list[str]:
    long = similarity.too_long(run.sources)
    return [f"<p>Too long to be compared: {html.escape(', '.join(long))}.</p>"] if long else []


def _distribution(totals: Sequence[float], most: float):
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.hist(totals, bins=list(np.arange(-0.5, most + 1.5)), color="#0072B2", edgecolor="white")
    axes.set(xlabel="points from tests", ylabel="submissions")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    return figure


def _difficulty(share: dict[str, float]):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 + 0.35 * len(share)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(share), list(share.values()), color="#D55E00")
    axes.set(xlabel="mean share of the task's points", xlim=(0, 1))
    axes.invert_yaxis()
    return figure


def _picture(figure, words: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='{html.escape(words)}' src='data:image/png;base64,{data}' style='max-width:100%'>"


def _html_table(head: Sequence[str], rows: Sequence[Sequence]) -> str:
    if not rows:
        return "<p>None.</p>"
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
