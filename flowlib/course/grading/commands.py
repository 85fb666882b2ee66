"""flowcourse grade, regrade, feedback, formgrader, erase and check."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from flowlib.course import extras
from flowlib.course.folders import (
    NOTEBOOK,
    RESULTS,
    CourseError,
    course_root,
    instructors_root,
    lesson_name,
    lesson_names,
    needs_linux,
)
from flowlib.course.lab import PORT

if TYPE_CHECKING:
    from flowlib.course.grading.run import Plan, Run

app = typer.Typer()
console = Console(highlight=False, soft_wrap=True)
MAX_ROWS = 100  # of the table in the terminal
THERE = "there"  # what `check` says of a task with an answer

Lesson = Annotated[str, typer.Argument(help="The lesson, as 3, 03 or 03_planar_flows.")]
Submitted = Annotated[
    Path | None,
    typer.Option(
        help="The class, a folder or a zip: nbgrader's layout, or as an LMS gives it. Default: OUT/submitted."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Where results are kept; they are added to. Default: .results, where nbgrader looks."),
]
Database = Annotated[
    str | None,
    typer.Option("--db", help="Gradebook, e.g. postgresql+psycopg2://user@host/name. Default: SQLite."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes. Default: one a core.")]
Cluster = Annotated[str | None, typer.Option(help="Address of a Dask scheduler, e.g. tcp://host:8786.")]
NoSandbox = Annotated[
    bool,
    typer.Option("--no-sandbox", help="Run students' code with your rights. Only for code that you trust."),
]
Times = Annotated[
    Path | None, typer.Option(help="When each handed in: a table student,time (ISO 8601, UTC).")
]
ClassKey = Annotated[
    str | None,
    typer.Option(help="What hidden tests draw from. Default: that of the last run, or a new one."),
]
CellSeconds = Annotated[float, typer.Option(min=1, help="Time limit of a cell and of a test.")]
TotalSeconds = Annotated[float, typer.Option(min=1, help="Time limit of a submission.")]
Memory = Annotated[int, typer.Option(min=512, help="Memory limit of a submission, in MB.")]


def _with_plan(work: Callable[[Plan], None]) -> Callable[..., None]:
    """A command that takes every option of grading and hands on the plan that they describe."""

    def command(
        lesson: Lesson = "01",
        submitted: Submitted = None,
        out: Out = None,
        db: Database = None,
        workers: Workers = None,
        cluster: Cluster = None,
        no_sandbox: NoSandbox = False,
        times: Times = None,
        cell_seconds: CellSeconds = 30.0,
        total_seconds: TotalSeconds = 300.0,
        memory: Memory = 3072,
        class_key: ClassKey = None,
    ) -> None:
        needs_linux()
        from flowlib.course.box.walls import Limits

        plan = _plan(
            lesson,
            submitted=submitted,
            out=out,
            db=db,
            workers=workers,
            cluster=cluster,
            isolate=not no_sandbox,
            times=times,
            key=class_key,
            limits=Limits(cell_seconds=cell_seconds, total_seconds=total_seconds, memory_mb=memory),
        )
        work(plan)

    command.__name__, command.__doc__ = work.__name__, work.__doc__
    return command


@app.command()
@_with_plan
def grade(plan: Plan) -> None:
    """Grade a class. Interrupted, the same command goes on where it stopped.

    Results add up: those who hand in late, in a zip of their own, join the others.
    """
    show(grade_with_progress(plan))


@app.command()
@_with_plan
def regrade(plan: Plan) -> None:
    """Grade everything again; say who changed, by how much and why."""
    from flowlib.course.grading import journal
    from flowlib.course.grading.run import changes

    plan.must_be_graded()
    with _in_words():
        before = {record.student: record for record in journal.read(plan.journal)}
    run = grade_with_progress(plan, again=True)
    show(run)
    found = changes(before, run.records)
    console.print(f"\n{len(found)} of {len(run.records)} changed." if found else "\nNobody's points changed.")
    for student, old, new, why in found:
        console.print(f"  {student}: {old:g} -> {new:g} ({new - old:+g}). {why}", markup=False)


@app.command()
def feedback(lesson: Lesson = "01", out: Out = None, db: Database = None):
    """Bring feedback pages, tables and report up to the marks that a person gave in formgrader."""
    plan = _plan(lesson, out=out, db=db)
    from flowlib.course.grading import report
    from flowlib.course.grading.run import look

    with _in_words():
        run = look(plan)
        changed = report.write(run)
    console.print(f"{changed} of {len(run.records)} feedback pages changed.")
    waiting = [student for student, marks in run.marks.items() if student in run.records and marks.waiting]
    if waiting:
        console.print(f"{len(waiting)} wait for a person: {_names(waiting)}", markup=False)
    console.print(_where(run))


@app.command()
def formgrader(
    lesson: Lesson = "01",
    out: Out = None,
    db: Database = None,
    port: Annotated[int, typer.Option(help="The first port to try.")] = PORT,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
):
    """Open nbgrader's formgrader on the results of a lesson: there a person marks and comments."""
    from flowlib.course import lab

    plan = _plan(lesson, out=out, db=db)
    plan.must_be_graded()
    console.print(f"When you have marked, run: flowcourse feedback {plan.assignment[:2]}")
    raise typer.Exit(
        lab.formgrader(
            course_root(), plan.assignment, plan.out, plan.url, port=port, browser=browser, say=console.print
        )
    )


@app.command()
def erase(
    student: Annotated[str, typer.Argument(help="The student's name as it stands in grades.csv.")],
    out: Out = None,
    db: Database = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
):
    """Forget one student: results, marks, comments and files of all lessons. It cannot be undone."""
    needs_linux(mac=True)
    root = instructors_root()
    extras.needs("grade")
    out = out or root / RESULTS
    if not yes:
        typer.confirm(f"Erase all that {out} holds of {student}?", abort=True)
    from flowlib.course.grading import erase as work
    from flowlib.course.grading import report
    from flowlib.course.grading.run import look

    lessons = [path.stem for path in sorted((out / "journal").glob("*.jsonl"))]
    plans = [_plan(name, out=out, db=db) for name in lessons if name in lesson_names(root)]
    if not plans:
        raise CourseError(f"Nothing has been graded in {out}.")
    with _in_words():
        gone = work.erase(out, plans[0].url, student)
        for plan in plans:  # also if nothing was left: an earlier try may have been interrupted before this
            report.write(look(plan))
    if not gone:
        raise CourseError(f"{out} holds nothing of {student!r}. Names stand in {out / 'grades.csv'}.")
    console.print(
        f"Erased {student}: {gone.results} results, {len(gone.folders)} folders"
        f"{', marks and comments' if gone.marks else ''}. Tables and reports are written anew. What was "
        "handed in elsewhere, such as the zip file of an LMS, is not touched.",
        markup=False,
    )


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.")],
    lesson: Annotated[
        str | None, typer.Option(help="The lesson it belongs to, if its folder does not say.")
    ] = None,
):
    """Look at a notebook before you hand it in: can it be graded? Gives a receipt."""
    from flowlib.course.exercises.exercise import read
    from flowlib.course.grading import preflight, written

    root = course_root()
    if not notebook.is_file():
        raise CourseError(f"There is no file {notebook}.")
    name = _lesson_of(notebook, lesson)
    folder = next(f for f in (root / "lessons", root / "solutions") if (f / name / NOTEBOOK).is_file())
    exercise = read(folder / name / NOTEBOOK)
    collected = preflight.collect_file(notebook)
    try:
        submission = preflight.repair(collected, exercise)
    except preflight.Unreadable as error:
        raise CourseError(f"{notebook} cannot be graded: {error}") from error
    sources = submission.sources(exercise)
    missing = [task.grade_id for task in exercise.tasks if task.grade_id not in sources]
    if missing and len(missing) >= len(exercise.tasks) - 1:
        raise CourseError(f"{notebook} is not the exercises of {name}: it lacks {', '.join(missing)}.")
    for note in submission.notes:
        console.print(f"note: {note}", markup=False)
    progress = {task.grade_id: _progress_of(sources.get(task.grade_id)) for task in exercise.tasks}
    for task in exercise.written:
        blank = written.is_blank(submission.cells, task.grade_id)
        progress.setdefault(task.grade_id, "nothing in its cell yet" if blank else THERE)
    for name, said in progress.items():
        console.print(f"{name}: {said}", markup=False)
    if notebook.name != NOTEBOOK:
        console.print(f"Rename it before you hand it in: {NOTEBOOK}")
    undone = ", ".join(name for name, said in progress.items() if said != THERE)
    lost = f", but this is not done: {undone}" if undone else ""
    console.print(f"It can be graded{lost}. Receipt: {collected.receipt}")


def _lesson_of(notebook: Path, lesson: str | None) -> str:
    """The lesson that was named, or else that in whose folder a notebook lies."""
    where = notebook.resolve().parent.name
    try:
        return lesson_name(course_root(), lesson or where)
    except CourseError as error:
        if lesson:
            raise
        raise CourseError(
            f"The folder {where!r} does not say which lesson this is. If it is lesson 3, run: "
            f'flowcourse check --lesson 3 "{notebook}"'
        ) from error


def _progress_of(source: str | None) -> str:
    """How far a student has come with a task."""
    if source is None:
        return "missing"
    return "not done yet" if "raise NotImplementedError" in source else THERE


def _plan(lesson: str, *, submitted: Path | None = None, out: Path | None = None, **options) -> Plan:
    """A plan with the folders that hold where no option names another.

    Raises:
        CourseError: this is the students' edition, or a system on which results cannot be read.
    """
    needs_linux(mac=True)
    root = instructors_root()
    extras.needs("grade")
    from flowlib.course.grading.run import Plan

    name = lesson_name(root, lesson)
    out = out or root / RESULTS
    submitted = submitted or out / "submitted"
    return Plan(root / "solutions" / name / NOTEBOOK, name, submitted, out, **options)


def grade_with_progress(plan: Plan, again: bool = False) -> Run:
    """Grade with a bar: students done, students a minute, time left.

    Raises:
        CourseError: nothing was graded, or no sandbox works here; the message says what to do.
    """
    from flowlib.course.grading import report
    from flowlib.course.grading.run import grade as work

    if not plan.isolate:
        console.print("[red]Warning:[/] without a sandbox students' code runs with your rights.")
    start = time.monotonic()
    columns = [TextColumn("Grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("Grading", total=None, rate="")
        first: list[int] = []

        def step(done: int, total: int, student: str) -> None:
            first.append(done)
            rate = (done - first[0]) / max(1e-9, time.monotonic() - start) * 60
            progress.update(bar, total=total, completed=done, rate=f"{rate:.0f} students/min")

        try:
            with _in_words():
                run = work(plan, step, again)
                report.write(run)
        except KeyboardInterrupt:
            console.print(
                f"Stopped. What is graded is kept in {plan.out}; the same command goes on from there."
            )
            raise
    return run


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """What this machine refuses, in one sentence.

    Raises:
        CourseError: no sandbox works here, or a file or a disk cannot be read or written.
    """
    from flowlib.course.box.walls import NoSandbox

    try:
        yield
    except NoSandbox as error:
        raise CourseError(str(error)) from error
    except OSError as error:
        why = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        raise CourseError(
            f"{why}. What is graded is kept; mend this and run the same command again."
        ) from error


def show(run: Run) -> None:
    """The table of points, who needs a person, and where everything lies."""
    console.print(_table(run))
    written = run.exercise.points - run.most_from_tests
    console.print(f"\n{len(run.records)} submissions have an outcome ({run.graded} graded now).")
    console.print(f"Tests give up to {run.most_from_tests:g} points.", end=" " if written else "\n")
    if written:
        short = run.plan.assignment[:2]
        console.print(
            f"Written answers ({written:g} points) wait for a person: flowcourse formgrader {short}"
        )
    if run.absent:
        console.print(
            f"{len(run.absent)} of them came in earlier and are not in this class; their results stand."
        )
    if run.stale:
        console.print(f"Other tests graded {_names(run.stale)}: to grade them again, hand them in again.")
    people = run.needs_person
    if people:
        console.print(f"{len(people)} {'needs' if len(people) == 1 else 'need'} a person:")
    for student, why in list(people.items())[:MAX_ROWS]:
        console.print(f"  {student}: {'; '.join(why)}", markup=False)
    _show_arrival(run)
    if run.odd:
        lines = "1 line" if run.odd == 1 else f"{run.odd} lines"
        console.print(f"{lines} of {run.plan.journal} held no result and counted as not written.")
    if run.without_walls:
        console.print("[red]Warning:[/] graded without a sandbox.")
    console.print(_where(run))


def _table(run: Run) -> Table:
    """The points of each task; of a large class only those who need a person."""
    tasks = run.exercise.tasks
    table = Table("submission", box=None, pad_edge=False)
    for name in [*(task.grade_id for task in tasks), "total"]:
        table.add_column(name, justify="right")
    table.add_column("outcome")
    colours = {"graded": "green", "flagged": "yellow", "failed": "red"}
    students = run.records if len(run.records) <= MAX_ROWS else run.needs_person
    for student in list(students)[:MAX_ROWS]:
        record = run.records[student]
        points = [record.points(task) for task in tasks]
        outcome = f"[{colours[record.outcome]}]{record.outcome}[/]"
        table.add_row(escape(student), *(f"{p:g}" for p in points), f"{sum(points):g}", outcome)
    return table


def _show_arrival(run: Run) -> None:
    """What has to be said about the files of the class: their layout, changed names, what was passed over."""
    came = run.arrived
    if came is None:
        return
    console.print(f"The class came in the layout of {came.layout}.", markup=False)
    for old, new in came.renamed[:MAX_ROWS]:
        console.print(f"  the name {old!r} was written as {new!r}", markup=False)
    if came.passed_over:
        shown = ", ".join(repr(path) for path in came.passed_over[:MAX_ROWS])
        more = " ..." if len(came.passed_over) > MAX_ROWS else ""
        console.print(f"Passed over, for they hold no work on this lesson: {shown}{more}", markup=False)


def _where(run: Run) -> str:
    """Where everything lies."""
    out = run.plan.out
    return (
        f"Feedback and gradebook are in {out}, with grades.csv for all lessons; "
        f"start with {out / run.plan.assignment / 'report.html'}"
    )


def _names(students: list[str]) -> str:
    shown = ", ".join(students[:MAX_ROWS])
    return shown + (" ..." if len(students) > MAX_ROWS else "")
