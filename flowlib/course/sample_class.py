"""A class of made-up students, built from a lesson's answer files and graded like a real one.

Each submission is named after what it did, so the table of marks explains itself.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import Answer, read_answers, without_markers
from flowlib.course.exercises.release import student_version
from flowlib.course.folders import NOTEBOOK, CourseError
from flowlib.course.grading.rehearsal import rehearse

MISTAKES = 5
WAITS = "import time\n\nwhile True:  # for a result that never comes\n    time.sleep(0.1)\n"
KEY = "sample class"  # the class key: the same in every run


@dataclass
class Submission:
    """One made-up student: what stands in which cell, and which tests must fail."""

    name: str
    sources: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # test cells that must fail


def plan(work: exercise.Exercise, answers: list[Answer]) -> list[Submission]:
    """The class: who hands in what.

    Raises:
        CourseError: the lesson has too few answer files for a class.
    """
    reference = {task.grade_id: without_markers(task.source) for task in work.tasks}
    tests = {task.grade_id: {test.grade_id for test in task.tests} for task in work.tasks}
    rights: dict[str, list] = {name: [a for a in answers if a.right and a.task == name] for name in reference}
    wrongs = spread([a for a in answers if not a.right], MISTAKES)
    if len(wrongs) < MISTAKES or min(map(len, rights.values()), default=0) < 2:
        raise CourseError(
            f"{work.path.parent / 'answers'} must hold two right answers to each task and {MISTAKES} wrong "
            "ones for a sample class."
        )
    names = list(reference)
    half, middle, last = names[: len(names) // 2], names[len(names) // 2], names[-1]
    styles = max(map(len, rights.values()))  # so that each right answer is handed in by somebody
    undone = {test for name in names if name not in half for test in tests[name]}
    people = [
        Submission("perfect", reference),
        *(
            Submission(
                f"right_in_style_{turn + 1}",
                {name: rights[name][turn % len(rights[name])].source for name in names},
            )
            for turn in range(styles)
        ),
        Submission("partly_right", {name: reference[name] for name in half}, undone),
        Submission("empty", {}, set().union(*tests.values())),
        Submission("syntax_error", reference | {middle: "def answer(:\n    return 1\n"}, tests[middle]),
        Submission("infinite_loop", reference | {last: WAITS}, tests[last]),
    ]
    for wrong in wrongs:
        people.append(Submission(wrong.name, reference | {wrong.task: wrong.source}, failing(work, wrong)))
    return people


def failing(work: exercise.Exercise, answer: Answer) -> set[str]:
    """The test cells that an answer fails when it is tried alone."""
    outcomes = rehearse(work, answer.task, answer.source)
    return {name for name, outcome in outcomes.items() if not outcome.passed}


def spread(wrongs: list[Answer], count: int) -> list[Answer]:
    """`count` wrong answers from as many tasks as possible."""
    by_task: dict[str, list] = {}
    for answer in wrongs:
        by_task.setdefault(answer.task, []).append(answer)
    turns = [[answers[turn] for answers in by_task.values() if turn < len(answers)] for turn in range(count)]
    return [answer for turn in turns for answer in turn][:count]


def write(people: list[Submission], released: bytes, lesson: str, folder: Path) -> None:
    """Write nbgrader's layout: folder/<student>/<lesson>/exercises.ipynb."""
    for person in people:
        notebook = json.loads(released)
        for cell in notebook["cells"]:
            grade_id = exercise.grade_id_of(cell)
            if grade_id in person.sources:
                cell["source"] = person.sources[grade_id].strip("\n")
        target = folder / person.name / lesson / NOTEBOOK
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def build_sample_class(root: Path, lesson: str, folder: Path) -> list[Submission]:
    """Make the submissions of a lesson's sample class under `folder`, which is emptied first."""
    work = exercise.read(root / "solutions" / lesson / NOTEBOOK)
    people = plan(work, read_answers(work))
    shutil.rmtree(folder, ignore_errors=True)
    write(people, student_version(root, lesson), lesson, folder)
    return people


def grade_sample_class(root: Path, lesson: str, console) -> None:
    """Build the class under .build/grade, grade it, print the table of marks and say where all is.

    Raises:
        CourseError: a submission got other marks than it must; the message names it.
    """
    from flowlib.course.box.walls import Limits, NoSandbox, probe
    from flowlib.course.grading import commands
    from flowlib.course.grading.run import Plan

    folder = root / ".build" / "grade"
    shutil.rmtree(folder, ignore_errors=True)
    people = build_sample_class(root, lesson, folder / "submitted")
    console.print(f"A sample class for {lesson}: {len(people)} submissions, each named after what it did.")
    try:
        probe()
        isolate = True
    except NoSandbox as why:
        # These submissions are our own, so they may run without walls.
        console.print(f"[yellow]No sandbox here, fine for this class:[/] {escape(str(why).split('. ')[0])}.")
        isolate = False
    source = root / "solutions" / lesson / NOTEBOOK
    limits = Limits(cell_seconds=10.0)  # enough for a slow machine, soon enough for the infinite loop
    run = commands.grade_with_progress(
        Plan(source, lesson, folder / "submitted", folder, isolate=isolate, limits=limits, key=KEY)
    )
    commands.show(run)
    surprises = []
    for person in people:
        tests = run.records[person.name].tests
        failed = {name for name, test in tests.items() if test.score < test.points}
        for word, names in (("failed", failed - person.lost), ("passed", person.lost - failed)):
            if names:
                surprises.append(f"{person.name} {word} {', '.join(sorted(names))}, and must not")
    if surprises:
        raise CourseError("The marks are not what they must be: " + "; ".join(surprises) + ".")
    console.print("Every submission got the marks it must.")
