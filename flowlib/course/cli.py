"""The command `flowcourse`.

Exit codes: 0 all is well; 1 something is to be mended (the last line says how); 2 the command was
typed wrongly; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flowlib.course import extras
from flowlib.course.folders import (
    NOTEBOOK,
    CourseError,
    course_root,
    instructors_root,
    lesson_name,
    needs_linux,
)
from flowlib.course.grading.commands import app as grading
from flowlib.course.lab import PORT

app = typer.Typer(
    help="Run the flow course: open lessons, release exercises, grade a class.",
    epilog="Exit codes: 0 all is well, 1 something is to be mended, 2 the command was typed wrongly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(highlight=False, soft_wrap=True)

Lessons = Annotated[list[str] | None, typer.Argument(help="Lessons, as 3, 03 or 03_planar_flows; none: all.")]
Lesson = Annotated[str, typer.Argument(help="The lesson, as 3, 03 or 03_planar_flows.")]


@app.command()
def release(
    lessons: Lessons = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare; code 1 if out of step.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Release over a notebook that was edited, and keep a dated copy.")
    ] = False,
):
    """Make the students' exercises in lessons/ from those in solutions/. Work typed into one is not lost."""
    root = instructors_root()
    extras.needs("grade")
    from rich.progress import track

    from flowlib.course.exercises import release as work

    names = [lesson_name(root, name) for name in lessons] if lessons else work.releasable(root)
    if not names:
        raise CourseError("There is nothing to release: no solutions/*/exercises.ipynb exists.")
    outcomes = []
    for name in track(names, "Releasing", console=console, transient=True, disable=len(names) < 2):
        outcomes += work.release(root, [name], check=check, force=force)
    for outcome in outcomes:
        console.print(f"{outcome.lesson}: {outcome.state}")
        for leak in outcome.leaks:
            console.print(f"  leak: {leak}", markup=False)
        if outcome.copy:
            console.print(f"  what was typed into it is kept in {outcome.copy}", markup=False)
    if any(outcome.leaks for outcome in outcomes):
        raise CourseError("Released notebooks would give secrets away; change the lines above in solutions/.")
    edited, stale = (
        " ".join(outcome.lesson[:2] for outcome in outcomes if outcome.state == state)
        for state in ("edited", "out of step")
    )
    advice = []
    if stale:
        advice.append(f"Released exercises differ from their solutions. Run: flowcourse release {stale}")
    if edited:
        advice.append(
            "Somebody typed into a released notebook, so it was left as it is. To release it again and keep "
            f"a dated copy of that work beside it: flowcourse release {edited} --force"
        )
    if advice:
        raise CourseError("\n".join(advice))


@app.command("student-edition")
def student_edition(
    out: Annotated[Path, typer.Argument(help="A new folder, or a zip file: a name that ends in .zip.")],
    git: Annotated[
        bool, typer.Option("--git", help="As a git repository with a history of its own, or its next commit.")
    ] = False,
):
    """Write what students get: the course without solutions, hidden tests and marking guides."""
    root = instructors_root()
    extras.needs("grade")
    from flowlib.course import edition as work

    with console.status("Making the students' edition, and searching it ..."):
        edition = work.make(root)
    if edition.shared:
        console.print("These lines of solutions stand in a lesson or in flowlib too, so they are no secrets:")
        for line, where in edition.shared.items():
            console.print(f"  {line}\n    ({where})", markup=False)
    if git:
        changed = work.write_repository(edition, out, root)
        console.print(f"{out} is the students' repository." if changed else f"{out} is up to date.")
        console.print(f"To publish it: git -C {out} push (once: git -C {out} remote add origin ADDRESS)")
    else:
        work.write(edition, out, root)
        console.print(f"{out} is the students' edition.")
    console.print(
        f"{len(edition.files)} files, and none of the {edition.secrets} lines for instructors only."
    )


@app.command()
def lab(
    lesson: Annotated[str, typer.Argument(help="The lesson to open, as 3 or 03.")] = "01",
    port: Annotated[int, typer.Option(help="The first port to try.")] = PORT,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
):
    """Open JupyterLab on a lesson."""
    from flowlib.course import lab as work

    root = course_root()
    raise typer.Exit(work.lab(root, lesson_name(root, lesson), port=port, browser=browser, say=console.print))


@app.command()
def update():
    """Get the course's new version by git. What you wrote stays, or is kept beside as NAME.mine.ipynb."""
    from flowlib.course import update as work

    root = course_root()
    with console.status("Updating ..."):
        updated = work.update(root)
    for title, names in (
        ("Put back as the course has them, as you had only run them:", updated.put_back),
        ("Yours, and left as they are:", updated.left),
        ("New in the course, and yours is kept:", [f"{a} -> {b}" for a, b in updated.kept.items()]),
    ):
        if names:
            console.print(title)
            for name in names:
                console.print(f"  {name}", markup=False)
    if any(name.endswith(f"/{NOTEBOOK}") for name in updated.kept):
        console.print(f"Hand in the new {NOTEBOOK}: copy your answers into it, cell by cell.")
    if {"pyproject.toml", "constraints.txt"} & set(updated.brought):
        console.print(f"The course needs other packages now: make lab, or {extras.command()}", markup=False)
    count = len(updated.brought)
    console.print(f"Up to date: {count or 'no'} file{'s' * (count != 1)} of the course changed.")


@app.command()
def doctor():
    """Say what this machine has and lacks, and the command that mends it."""
    from rich.table import Table

    from flowlib.course import doctor as work

    marks = {"good": "[green]good[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    findings = work.examine(course_root())
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, finding.found)
    console.print(table)
    mends = [finding for finding in findings if finding.mend]
    if mends:
        console.print("\nTo mend:" if any(f.state == "missing" for f in mends) else "\nIf you need it:")
        for finding in mends:
            console.print(f"  {finding.what}: {finding.mend}", markup=False)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)
    console.print("\nReady. Next: flowcourse lab")


@app.command()
def slides(
    lesson: Lesson = "01",
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
):
    """Make a lesson's demo into slides: one HTML file that needs no network."""
    extras.needs("site")
    import webbrowser

    from flowlib.course import lab
    from flowlib.course.pages.slides import make_slides

    root = course_root()
    target = make_slides(root, lesson_name(root, lesson))
    if browser and lab.has_browser() and webbrowser.open(target.as_uri()):
        console.print(f"{target} is open in your browser. Arrow keys turn the slides, F fills the screen.")
    else:
        console.print(f"Open this file in a browser: {target}")


@app.command()
def site():
    """Build the course as web pages under .build/site."""
    extras.needs("site")
    from flowlib.course.pages.site import make_site

    with console.status("Building the site ..."):
        page = make_site(course_root())
    console.print(f"The site is built: {page}")


@app.command("new-lesson")
def new_lesson(name: Annotated[str, typer.Argument(help="Its folder, such as 08_splines_and_mixtures.")]):
    """Write the first draft of a lesson: it runs, and its tests say what is to be written."""
    from flowlib.course import new_lesson as work

    root = instructors_root()
    for path in work.new_lesson(root, name):
        console.print(path.relative_to(root), markup=False)
    console.print(f"Next: make test-lesson L={name[:2]} says what these files do not have yet.")


@app.command("sample-class")
def sample_class(lesson: Lesson = "01"):
    """Build a class of made-up submissions from the answer files, grade it, and print the marks."""
    needs_linux()
    root = instructors_root()
    extras.needs("grade")
    from flowlib.course import sample_class as work

    work.grade_sample_class(root, lesson_name(root, lesson), console)


app.add_typer(grading)


def main() -> None:
    """Entry point: user errors end in one plain message, never in a traceback."""
    try:
        app()
    except CourseError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]Error:[/] {_plain(error)}")
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped.")
        sys.exit(130)


def _plain(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))


if __name__ == "__main__":
    main()
