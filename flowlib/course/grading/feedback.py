"""What a student gets back: the executed notebook as a page, with a word on every test.

Everything a student wrote or a student's process produced is text until `clean` has made it harmless,
and the page forbids scripts on top. Tests appear as released: without their hidden parts.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from flowlib.course.exercises.exercise import Exercise, Role, grade_id_of, public
from flowlib.course.grading import clean
from flowlib.course.grading.marks import Mark, Marks
from flowlib.course.grading.record import Outcome, Record, Status, Verdict
from flowlib.course.pages import templates

MAX_IMAGE = 4 * 2**20


def warm_up() -> None:
    """Load what rendering needs before the first submission."""
    templates.coloured("x = 1")
    clean.markdown("*x*")
    for name in ("feedback.html", "summary.html", "cell.html", "output.html", "verdict.html", "mark.html"):
        templates.ENVIRONMENT.get_template(name)


# ---------------------------------------------------------------------------- the notebook


def executed_notebook(exercise: Exercise, cells: list[dict], tests: dict[str, Outcome]) -> dict:
    """The submission as run, in the instructor's frame: what nbgrader keeps under autograded/.

    Locked cells come from the exercise (tests without their hidden parts), the rest from the student.
    """
    master = {cell.grade_id: cell for cell in exercise.cells if cell.grade_id}
    done: list[dict] = []
    used: set[str] = set()
    position: dict[str, int] = {}
    for cell in cells:
        grade_id = cell["grade_id"] if cell["grade_id"] not in used else ""
        metadata = dict(master[grade_id].raw["metadata"]) if grade_id else {}
        used.add(grade_id)
        made: dict[str, Any] = {"cell_type": "markdown", "metadata": metadata, "id": f"c{len(done)}"}
        if cell["kind"] == "code":
            made |= {"cell_type": "code", "source": cell["source"]}
            made |= {"execution_count": None, "outputs": _outputs(cell["outputs"])}
        else:
            made["source"] = clean.cell_source(_words_of(cell))
        if grade_id:
            position[grade_id] = len(done)
        done.append(made)
    return _with_locked_cells(exercise, done, tests)


def _with_locked_cells(exercise: Exercise, done: list[dict], tests: dict[str, Outcome]) -> dict:
    """Put each locked cell of the exercise after the marked cell that it follows there."""
    have = {grade_id_of(cell) for cell in done}
    merged = list(done)
    previous = ""
    for cell in exercise.cells:
        if cell.role is Role.OTHER:
            continue
        name = cell.grade_id
        if name not in have:
            made: dict[str, Any] = {
                "cell_type": cell.kind,
                "metadata": dict(cell.raw["metadata"]),
                "source": public(cell.source),
                "id": re.sub(r"\W", "-", name)[:60],
            }
            if cell.kind == "code":
                outputs = _verdict_output(tests[name]) if name in tests else []
                made |= {"execution_count": None, "outputs": outputs}
            if cell.role is Role.TASK:
                made["source"] = "# This cell was missing."
            elif cell.role is Role.WRITTEN:
                made["source"] = "*No answer.*"
            merged.insert(_after(merged, previous), made)
        previous = name
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": merged, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _after(cells: list[dict], grade_id: str) -> int:
    """Behind this cell; '': before all."""
    for index, cell in enumerate(cells):
        if grade_id and grade_id_of(cell) == grade_id:
            return index + 1
    return len(cells) if grade_id else 0


def _verdict_output(test: Outcome) -> list[dict]:
    if test.passed:
        return []
    lines = [f"{test.status}: {test.message}"]
    return [{"output_type": "error", "ename": test.status, "evalue": test.message, "traceback": lines}]


def _outputs(raw: Any) -> list[dict]:
    """Rebuild outputs from what a student's process claims to have shown: known kinds, checked."""
    outputs: list[dict] = []
    for output in raw[:200] if isinstance(raw, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            outputs.append({"output_type": "stream", "name": name, "text": _words(output.get("text"))})
        elif kind in ("display_data", "execute_result"):
            data = _data(output.get("data"))
            if data:
                outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
        elif kind == "error":
            lines = output.get("traceback")
            lines = [_words(line) for line in lines[:200]] if isinstance(lines, list) else []
            ename, evalue = _words(output.get("ename"))[:200], _words(output.get("evalue"))[:2000]
            outputs.append({"output_type": "error", "ename": ename, "evalue": evalue, "traceback": lines})
    return outputs


def _words(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    value = value if isinstance(value, str) else ""
    # Colours of terminals, and lone surrogates that no file can hold.
    value = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", value[: 2**20])
    return value.encode("utf-8", "replace").decode()


def _picture(content: str | list) -> str | None:
    """The base64 of a picture, written anew; None if it is too large or none."""
    whole = (
        content if isinstance(content, str) else "".join(part for part in content if isinstance(part, str))
    )
    if len(whole) > MAX_IMAGE:
        return None
    try:
        return base64.b64encode(base64.b64decode(whole, validate=False)).decode()
    except ValueError:
        return None


def _data(data: Any) -> dict[str, str]:
    kept: dict[str, str] = {}
    for kind in ("text/plain", "text/html", "text/latex", "text/markdown", "image/png", "image/jpeg"):
        content = data.get(kind) if isinstance(data, dict) else None
        if not isinstance(content, str | list):
            continue
        if kind.startswith("text/"):
            kept[kind] = _words(content)
        elif (picture := _picture(content)) is not None:
            kept[kind] = picture
    # Whoever shows an output takes one of its kinds: those that hold markup become cleaned HTML.
    for kind, harmless in (
        ("text/latex", clean.formula),
        ("text/markdown", clean.markdown),
        ("text/html", clean.cleaned),
    ):
        if kind in kept:
            kept["text/html"] = harmless(kept.pop(kind))
    return kept


# ---------------------------------------------------------------------------- the page


@dataclass(frozen=True)
class Test:
    """A test as its page shows it: its source as released, and what came of it."""

    name: str
    points: float
    source: str
    outcome: Outcome


@dataclass(frozen=True)
class Task:
    """A task as its page shows it: its tests, the marks of its cells, and what a person said.

    The cells that hold its points are its tests, and itself if a person marks it.
    """

    name: str
    tests: list[Test]
    marks: dict[str, Mark]
    comment: str

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks.values())

    @property
    def most(self) -> float:
        return sum(mark.most for mark in self.marks.values())

    @property
    def waits(self) -> bool:
        """Whether all of its points are a person's to give, and none is given yet."""
        return bool(self.marks) and all(mark.waits for mark in self.marks.values())

    @property
    def by_hand(self) -> dict[str, Mark]:
        """The marks that a person gave or has still to give."""
        return {name: mark for name, mark in self.marks.items() if mark.waits or mark.by_person}


def page(
    student: str, assignment: str, exercise: Exercise, cells: list[dict], verdict: Verdict, isolated: bool
) -> str:
    """The feedback page of one submission, with the points that its tests gave.

    What a person may change stands in slots, which `with_marks` fills again: an HTML comment opens
    and closes each. No student can write one, since `clean` drops comments.
    """
    marks = automatic_marks(exercise, verdict)
    tasks = {task.name: task for task in _tasks(exercise, marks, verdict.tests)}
    last = {cell["grade_id"]: index for index, cell in enumerate(cells)}
    return templates.render(
        "feedback.html",
        student=student,
        assignment=assignment,
        isolated=isolated,
        verdict=verdict,
        marks=marks,
        tasks=list(tasks.values()),
        cells=[
            (_shown(cell), tasks.get(cell["grade_id"]) if last[cell["grade_id"]] == index else None)
            for index, cell in enumerate(cells)
        ],
        missing=[task for name, task in tasks.items() if name not in last],
    )


def with_marks(old: str, exercise: Exercise, record: Record, marks: Marks) -> str:
    """A feedback page with its marks, comments and total as they stand in the gradebook.

    Args:
        old: the page as `page` wrote it.
        record: the student's line in the journal.
    """
    tasks = _tasks(exercise, marks, {})
    summary = templates.render(
        "summary.html",
        student=record.student,
        assignment=record.assignment,
        isolated=record.isolated,
        verdict=record,
        marks=marks,
        tasks=tasks,
    )
    new = _fill(old, "summary", summary)
    for task in tasks:
        new = _fill(new, f"mark {task.name}", templates.render("mark.html", task=task))
    return new


def _fill(old: str, name: str, content: str) -> str:
    """Put new content, with the comments around it, where a page has a slot of this name."""
    opening, closing = f"<!-- {name} -->", f"<!-- end {name} -->"
    first, found, rest = old.partition(opening)
    _, end, last = rest.partition(closing)
    return first + content + last if found and end else old


def automatic_marks(exercise: Exercise, verdict: Verdict) -> Marks:
    """What a submission has before a person looks at it."""
    cells = {
        name: Mark(test.score, test.points, waits=test.status is Status.NOT_GRADED)
        for name, test in verdict.tests.items()
    }
    for written in exercise.written:
        blank = written.grade_id in verdict.unanswered
        cells[written.grade_id] = Mark(0.0, written.points, waits=not blank)
    return Marks(cells)


def _tasks(exercise: Exercise, marks: Marks, outcomes: Mapping[str, Outcome]) -> list[Task]:
    """The tasks in their order, each once: one may have tests and points of a person.

    Args:
        outcomes: what came of the tests by grade_id; of a test without an outcome only the mark shows.
    """
    tests = {task.grade_id: task.tests for task in exercise.tasks}
    by_person = {written.grade_id for written in exercise.written}
    found = []
    names = [task.grade_id for task in exercise.tasks] + [written.grade_id for written in exercise.written]
    for name in dict.fromkeys(names):
        mine = tests.get(name, ())
        shown = [
            Test(test.grade_id, test.points, public(test.source), outcomes[test.grade_id])
            for test in mine
            if test.grade_id in outcomes
        ]
        graded = [*(test.grade_id for test in mine), *([name] if name in by_person else [])]
        held = {cell: marks.cells[cell] for cell in graded if cell in marks.cells}
        found.append(Task(name, shown, held, marks.comments.get(name, "")))
    return found


def _shown(cell: dict) -> dict[str, Any]:
    """A cell for its template: code with its outputs, or words made harmless."""
    if cell["kind"] != "code":
        return {"kind": "words", "words": _words_of(cell)}
    return {
        "kind": "code",
        "source": cell["source"],
        "outputs": _outputs(cell["outputs"]),
        "error": cell["error"],
    }


def _words_of(cell: dict) -> Markup:
    """A Markdown cell rendered, a raw cell as it stands, both harmless."""
    return (clean.markdown if cell["kind"] == "markdown" else clean.plain)(cell["source"])
