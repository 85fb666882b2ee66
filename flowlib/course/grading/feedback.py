"""What a student gets back: the executed notebook as a page, with a word on every test.

Everything a student wrote or a student's process produced is text until `clean` has made it harmless,
and the page forbids scripts on top. Tests appear as released: without their hidden parts.
"""

from __future__ import annotations

import base64
import html
import re
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from flowlib.course.exercises.exercise import Exercise, TestCell, public, text
from flowlib.course.grading import clean
from flowlib.course.grading.marks import Mark, Marks
from flowlib.course.grading.record import Outcome, Record, Status, Verdict

MAX_IMAGE = 4 * 2**20
_COLOURS = HtmlFormatter(style="default")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; color: #222 }
body { margin: 2rem auto; padding: 0 1rem }
pre, code { font: 14px/1.4 ui-monospace, monospace } pre { overflow-x: auto; white-space: pre-wrap }
.code { border-left: 3px solid #bbb; padding: .1rem 1rem; background: #f7f7f7; margin: .5rem 0 }
.out { padding: 0 1rem; margin: .5rem 0 } .out img { max-width: 100% } .err { color: #a00 }
.test, .mark { border-radius: 6px; padding: .5rem 1rem; margin: .5rem 0 }
.ok { background: #e3f4e8 } .no { background: #fdeae4 } .mark { background: #e4eefa }
table { border-collapse: collapse } td, th { padding: .15rem .9rem .15rem 0; text-align: left }
.note { color: #555 }
"""


def warm_up() -> None:
    """Load what rendering needs before the first submission."""
    _code("x = 1")
    clean.markdown("*x*")


# ---------------------------------------------------------------------------- the notebook


def executed_notebook(exercise: Exercise, cells: list[dict], tests: dict[str, Outcome]) -> dict:
    """The submission as run, in the instructor's frame: what nbgrader keeps under autograded/.

    Locked cells come from the exercise (tests without their hidden parts), the rest from the student.
    """
    master = {}
    for cell in exercise.notebook["cells"]:
        about = cell.get("metadata", {}).get("nbgrader")
        if about:
            master[about["grade_id"]] = cell
    done: list[dict] = []
    used: set[str] = set()
    position: dict[str, int] = {}
    for cell in cells:
        grade_id = cell["grade_id"] if cell["grade_id"] not in used else ""
        metadata = dict(master[grade_id]["metadata"]) if grade_id else {}
        used.add(grade_id)
        made = {"cell_type": "markdown", "metadata": metadata, "id": f"c{len(done)}"}
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
    have = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in done}
    merged = list(done)
    previous = None
    for cell in exercise.notebook["cells"]:
        about = cell.get("metadata", {}).get("nbgrader")
        if not about:
            continue
        grade_id = about["grade_id"]
        if grade_id not in have:
            made = {
                "cell_type": cell["cell_type"],
                "metadata": dict(cell["metadata"]),
                "source": public(text(cell)),
                "id": re.sub(r"\W", "-", grade_id)[:60],
            }
            if cell["cell_type"] == "code":
                outputs = _verdict_output(tests[grade_id]) if grade_id in tests else []
                made |= {"execution_count": None, "outputs": outputs}
                if about.get("solution"):
                    made["source"] = "# This cell was missing."
            elif about.get("solution"):
                made["source"] = "*No answer.*"
            merged.insert(_after(merged, previous), made)
        previous = grade_id
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": merged, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _after(cells: list[dict], grade_id: str | None) -> int:
    for index, cell in enumerate(cells):
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id and grade_id is not None:
            return index + 1
    return 0 if grade_id is None else len(cells)


def _verdict_output(test: Outcome) -> list[dict]:
    if test.passed:
        return []
    lines = [f"{test.status}: {test.message}"]
    return [{"output_type": "error", "ename": test.status, "evalue": test.message, "traceback": lines}]


def _outputs(raw: Any) -> list[dict]:
    """Rebuild outputs from what a student's process claims to have shown: known kinds, checked."""
    outputs = []
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


def _data(data: Any) -> dict[str, str]:
    kept = {}
    for kind in ("text/plain", "text/html", "text/latex", "text/markdown", "image/png", "image/jpeg"):
        content = data.get(kind) if isinstance(data, dict) else None
        if not isinstance(content, str | list):
            continue
        content = _words(content) if kind.startswith("text/") else content
        if kind.startswith("image/"):
            if isinstance(content, list):
                content = "".join(part for part in content if isinstance(part, str))
            if len(content) > MAX_IMAGE:
                continue
            try:
                content = base64.b64encode(base64.b64decode(content, validate=False)).decode()
            except ValueError:
                continue
        kept[kind] = content
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


def page(
    student: str, assignment: str, exercise: Exercise, cells: list[dict], verdict: Verdict, isolated: bool
) -> str:
    """The feedback page of one submission, with the points that its tests gave.

    What a person may change stands in slots, which `with_marks` fills again: an HTML comment opens
    and closes each. No student can write one, since `clean` drops comments.
    """
    marks = automatic_marks(exercise, verdict)
    tests = verdict.tests
    parts = [_slot("summary", _summary(exercise, student, assignment, verdict, isolated, marks))]
    due = _names(exercise)
    for index, cell in enumerate(cells):
        parts.append(_cell(cell))
        grade_id = cell["grade_id"]
        if grade_id in due and not any(other["grade_id"] == grade_id for other in cells[index + 1 :]):
            due.remove(grade_id)
            parts += _verdict(exercise, grade_id, tests, marks)
    for grade_id in due:
        parts.append(f"<h3>{html.escape(grade_id)}</h3>")
        parts += _verdict(exercise, grade_id, tests, marks)
    return document(f"{assignment}: {student}", "\n".join(parts))


def with_marks(old: str, exercise: Exercise, record: Record, marks: Marks) -> str:
    """A feedback page with its marks, comments and total as they stand in the gradebook.

    Args:
        old: the page as `page` wrote it.
        record: the student's line in the journal.
    """
    summary = _summary(exercise, record.student, record.assignment, record, record.isolated, marks)
    new = _fill(old, "summary", summary)
    for name in _names(exercise):
        new = _fill(new, f"mark {name}", _mark(exercise, name, marks))
    return new


def _slot(name: str, content: str) -> str:
    return f"<!-- {name} -->{content}<!-- end {name} -->"


def _fill(old: str, name: str, content: str) -> str:
    first, opening, rest = old.partition(f"<!-- {name} -->")
    _, closing, last = rest.partition(f"<!-- end {name} -->")
    return first + opening + content + closing + last if closing else old


def document(title: str, body: str) -> str:
    """A page on its own: no scripts, nothing loaded from elsewhere."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{_STYLE}{_COLOURS.get_style_defs('.code')}</style></head><body>\n{body}\n</body></html>\n"
    )


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


def _summary(
    exercise: Exercise, student: str, assignment: str, verdict: Verdict, isolated: bool, marks: Marks
) -> str:
    parts = [
        f"<h1>{html.escape(assignment)}</h1>",
        f"<p>{html.escape(student)}: {_total(marks)}</p>",
        f"<table>{''.join(_row(exercise, name, marks) for name in _names(exercise))}</table>",
    ]
    if not isolated:
        parts.append(
            "<p class='err'>Graded without a sandbox: the tests could be reached by the code they judge.</p>"
        )
    for words, kind in ((verdict.why, "err"), (verdict.notes, "note")):
        if words:
            items = "".join(f"<li>{html.escape(word)}</li>" for word in words)
            parts.append(f"<ul class='{kind}'>{items}</ul>")
    parts.append(f"<p class='note'>Receipt of your files: <code>{verdict.receipt[:16]}</code></p>")
    return "\n".join(parts)


def _total(marks: Marks) -> str:
    """The points so far, and how many are still to come."""
    words = f"<b>{marks.points:g} of {marks.most:g}</b> points"
    if marks.penalty:
        words += f", {marks.penalty:g} taken off for being late"
    return words + (f"; a person has still to give up to {marks.waiting:g}." if marks.waiting else ".")


def _row(exercise: Exercise, grade_id: str, marks: Marks) -> str:
    """A task in the table: its points, or that a person marks it."""
    cells = [marks.cells[name] for name in _graded_by(exercise, grade_id) if name in marks.cells]
    most = sum(mark.most for mark in cells)
    got = f"{sum(mark.points for mark in cells):g} of {most:g}"
    if cells and all(mark.waits for mark in cells):
        got = f"a person marks this ({most:g})"
    return f"<tr><td>{html.escape(grade_id)}</td><td>{got}</td></tr>"


def _graded_by(exercise: Exercise, grade_id: str) -> list[str]:
    """The cells that hold the points of a task: its tests, and itself if a person marks it."""
    tests = [test.grade_id for task in exercise.tasks if task.grade_id == grade_id for test in task.tests]
    return tests + [written.grade_id for written in exercise.written if written.grade_id == grade_id]


def _names(exercise: Exercise) -> list[str]:
    """The tasks, each once: one may have tests and points of a person."""
    return list(dict.fromkeys(task.grade_id for task in (*exercise.tasks, *exercise.written)))


def _verdict(exercise: Exercise, grade_id: str, tests: dict[str, Outcome], marks: Marks) -> list[str]:
    """What follows the cell of a task: its tests, and what a person gave and said."""
    shown = [
        _test(test, tests[test.grade_id])
        for task in exercise.tasks
        if task.grade_id == grade_id
        for test in task.tests
        if test.grade_id in tests
    ]
    return [*shown, _slot(f"mark {grade_id}", _mark(exercise, grade_id, marks))]


def _mark(exercise: Exercise, grade_id: str, marks: Marks) -> str:
    """What a person gave and said, or has still to give."""
    lines = []
    for name in _graded_by(exercise, grade_id):
        mark = marks.cells.get(name)
        if mark and mark.waits:
            lines.append(f"<b>{html.escape(name)}</b>: a person marks this ({mark.most:g})")
        elif mark and mark.by_person:
            lines.append(f"<b>{html.escape(name)}</b>: {mark.points:g} of {mark.most:g}, given by a person")
    if comment := marks.comments.get(grade_id):
        lines.append(html.escape(comment).replace("\n", "<br>"))
    return f"<div class='mark'>{'<br>'.join(lines)}</div>" if lines else ""


def _cell(cell: dict) -> str:
    if cell["kind"] != "code":
        return _words_of(cell)
    shown = "".join(_output(output) for output in _outputs(cell["outputs"]))
    if cell["error"]:
        shown += f"<div class='out err'>{html.escape(cell['error'])}</div>"
    return _code(cell["source"]) + shown


def _test(test: TestCell, outcome: Outcome) -> str:
    words = f"<b>{html.escape(test.grade_id)}</b>: {outcome.status}, {outcome.score:g} of {test.points:g}"
    if outcome.message:
        words += f"<br>{html.escape(outcome.message)}"
    source = f"<details><summary>the test</summary>{_code(public(test.source))}</details>"
    return f"<div class='test {'ok' if outcome.passed else 'no'}'>{words}{source}</div>"


def _output(output: dict) -> str:
    if output["output_type"] == "stream":
        colour = " err" if output["name"] == "stderr" else ""
        return f"<div class='out{colour}'><pre>{html.escape(output['text'])}</pre></div>"
    if output["output_type"] == "error":
        lines = "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"
        return f"<div class='out err'><pre>{html.escape(lines)}</pre></div>"
    data = output["data"]
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            source = f"data:{kind};base64,{data[kind]}"
            return f"<div class='out'><img alt='a figure of this cell' src='{source}'></div>"
    if "text/html" in data:
        return f"<div class='out'>{data['text/html']}</div>"
    return f"<div class='out'><pre>{html.escape(data.get('text/plain', ''))}</pre></div>"


def _code(source: str) -> str:
    if len(source) > 50_000:
        return f"<div class='code'><pre>{html.escape(source)}</pre></div>"
    return f"<div class='code'>{highlight(source, PythonLexer(), _COLOURS)}</div>"


def _words_of(cell: dict) -> str:
    """A Markdown cell rendered, a raw cell as it stands, both harmless."""
    return (clean.markdown if cell["kind"] == "markdown" else clean.plain)(cell["source"])
