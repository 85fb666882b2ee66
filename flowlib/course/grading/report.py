"""What comes of the results: report.html, tables of points for nbgrader, Canvas and Moodle, students' pages.

Each lesson has a folder of its own, and `grades.csv` above them covers the course.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flowlib.course.exercises.exercise import Task
from flowlib.course.grading import feedback, private, similarity
from flowlib.course.grading.run import Run, mistakes
from flowlib.course.pages import templates


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
        return templates.render("report.html", assignment=run.plan.assignment, numbers={})
    return templates.render(
        "report.html",
        assignment=run.plan.assignment,
        numbers=_numbers(run),
        without_walls=run.without_walls,
        distribution=_png(_distribution(run)),
        difficulty=_png(_difficulty(run)),
        mistakes=mistakes(run.records)[:20],
        needs_person=[(student, "; ".join(why)) for student, why in run.needs_person.items()],
        alike=[(pair.one, pair.other, _shares(pair)) for pair in run.pairs],
        too_long=similarity.too_long(run.sources),
        repaired=[(s, "; ".join(record.notes)) for s, record in run.records.items() if record.notes],
    )


def _numbers(run: Run) -> dict[str, float]:
    """The class in numbers."""
    totals = _totals(run)
    return {
        "submissions": len(totals),
        "median": float(np.median(totals)),
        "mean": float(np.mean(totals)),
        "most": run.most_from_tests,
        "seconds": float(np.median([record.seconds for record in run.records.values()])),
    }


def _totals(run: Run) -> list[float]:
    """The points from tests of each submission."""
    return [record.total for record in run.records.values()]


def _shares(pair: similarity.Pair) -> str:
    """In which tasks two students are alike, and how much."""
    return ", ".join(f"{task} {100 * share:.0f} %" for task, share in pair.tasks.items())


def _distribution(run: Run) -> Figure:
    """How many submissions got how many points."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    edges = np.arange(-0.5, run.most_from_tests + 1.5).tolist()
    axes.hist(_totals(run), bins=edges, color="#0072B2", edgecolor="white")
    axes.set(xlabel="points from tests", ylabel="submissions")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    return figure


def _difficulty(run: Run) -> Figure:
    """The mean share of its points that each task gave."""
    shares = {task.grade_id: _mean_share(run, task) for task in run.exercise.tasks if task.points}
    figure = Figure(figsize=(7, 0.6 + 0.35 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(shares), list(shares.values()), color="#D55E00")
    axes.set(xlabel="mean share of the task's points", xlim=(0, 1))
    axes.invert_yaxis()
    return figure


def _mean_share(run: Run, task: Task) -> float:
    got = [record.points(task) for record in run.records.values()]
    return float(np.mean(got)) / task.points


def _png(figure: Figure) -> str:
    """A figure as it stands in a page: base64 of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return base64.b64encode(buffer.getvalue()).decode()
