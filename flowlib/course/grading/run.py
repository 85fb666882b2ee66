"""A grading run: the class in, the gradebook, feedback and reports out."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from flowlib.course.box import walls
from flowlib.course.exercises import exercise as exercises
from flowlib.course.exercises.exercise import Exercise
from flowlib.course.folders import NOTEBOOK, CourseError, needs_linux
from flowlib.course.grading import intake, journal, private, workers
from flowlib.course.grading.gradebook import Book, BookLost
from flowlib.course.grading.marks import Marks
from flowlib.course.grading.preflight import Collected
from flowlib.course.grading.record import Outcome, Record, State, Verdict
from flowlib.course.grading.workers import Job, Reply

MOST_TRIES = 2  # runs that try a submission which the grader itself failed on


@dataclass(frozen=True)
class Plan:
    """What to grade, with what, and where the results go.

    Args:
        solution: the instructor's notebook, solutions/<lesson>/exercises.ipynb.
        assignment: its name in the gradebook.
        submitted: the class, a folder or a zip in one of the layouts of `layouts`.
        out: where the results go.
        db: SQLAlchemy's address of the gradebook; none: gradebook.db in `out`.
        workers: worker processes on this machine; none: one a core.
        cluster: address of a Dask scheduler to use instead.
        isolate: False runs students' code without a sandbox.
        times: a table student,time of the collector.
        key: the class key, from which hidden tests draw; none: that of the last run, or a new one.
    """

    solution: Path
    assignment: str
    submitted: Path
    out: Path
    db: str | None = None
    workers: int | None = None
    cluster: str | None = None
    isolate: bool = True
    times: Path | None = None
    key: str | None = None
    seed: int = 0
    limits: walls.Limits = field(default_factory=walls.Limits)

    @property
    def url(self) -> str:
        return self.db or f"sqlite:///{self.out.resolve() / 'gradebook.db'}"

    @property
    def journal(self) -> Path:
        return self.out / "journal" / f"{self.assignment}.jsonl"

    def must_be_graded(self) -> None:
        """Refuse to go on where there are no results.

        Raises:
            CourseError: nobody has been graded; the message says what to do.
        """
        if not self.journal.exists():
            raise CourseError(
                f"{self.assignment} has not been graded in {self.out}. "
                f"Run: flowcourse grade {self.assignment[:2]}"
            )


@dataclass
class Run:
    """What came of a run, and of those before it: results of a lesson are added to, never replaced."""

    plan: Plan
    exercise: Exercise
    records: dict[str, Record]  # by student
    rows: list[dict]  # the gradebook's rows for this lesson
    course: list[dict]  # its rows for all lessons
    marks: dict[str, Marks]  # student -> points and comments, those of a person included
    absent: list[str]  # students of earlier runs who are not in this class: their results stand
    stale: list[str]  # those of them whom other tests graded
    graded: int = 0  # how many were graded in this run; the others stood in the journal already
    odd: int = 0  # lines of the journal that are no records, and count as not written
    arrived: intake.Submissions | None = None  # the class as it came; none: nobody was graded now
    pairs: list = field(default_factory=list)  # similar submissions

    @property
    def needs_person(self) -> dict[str, list[str]]:
        """Who needs a person, and why."""
        return {student: record.why for student, record in self.records.items() if record.needs_person}

    @property
    def most_from_tests(self) -> float:
        """The points that a person does not give."""
        return self.exercise.points - sum(task.points for task in self.exercise.written)

    @property
    def sources(self) -> dict[str, dict[str, str]]:
        """Every student's code of each task."""
        return {student: record.sources for student, record in self.records.items()}

    @property
    def without_walls(self) -> bool:
        """Whether a submission was graded without a sandbox."""
        return any(not record.isolated for record in self.records.values())


Progress = Callable[[int, int, str], None]  # submissions done, all of them, the last one's student


def _silent(done: int, total: int, student: str) -> None:
    """Tell nobody."""


def grade(plan: Plan, progress: Progress = _silent, again: bool = False) -> Run:
    """Grade a class. Called again after an interruption it goes on where it stopped.

    Args:
        progress: called after each submission.
        again: grade also what the journal already holds.

    Raises:
        CourseError: nothing can be graded; the message says why and what to do.
        walls.NoSandbox: this machine has no sandbox.
    """
    needs_linux()
    work = _exercise(plan)
    if plan.isolate:
        _keep_out_of_sight(plan)
        if not plan.cluster:  # there each worker's machine is asked
            walls.probe()
    readers = intake.read_class(plan.submitted, plan.assignment, _origins(plan))
    times = intake.read_times(plan.times) if plan.times else {}
    private.folder(plan.out)
    with contextlib.ExitStack() as held:
        log = held.enter_context(contextlib.closing(journal.Journal(plan.journal)))
        plan = replace(plan, key=plan.key or _class_key(log))
        records = {} if again else _standing(log, plan, work, readers)
        due = [student for student in readers if student not in records]
        pool = held.enter_context(contextlib.closing(_pool(plan, len(due)))) if due else None
        book = held.enter_context(Book(plan.url, plan.assignment, work))
        _catch_up(book, log)
        _set_times(records, times, log, book)
        progress(len(records), len(readers), "")
        all_recorded = True
        for record in _graded(pool, plan, work, readers, due, times, log.latest()) if pool else ():
            log.append(record)
            all_recorded = _recorded(book, record) and all_recorded
            records[record.student] = record
            progress(len(records), len(readers), record.student)
        if not all_recorded:
            _catch_up(book, log)
        results = _results(plan, work, log, book, present=records, graded=len(due))
        return replace(results, arrived=readers)


def _exercise(plan: Plan) -> Exercise:
    try:
        return exercises.read(plan.solution)
    except (FileNotFoundError, ValueError) as error:
        raise CourseError(f"The exercise cannot be read: {error}") from error


def _origins(plan: Plan) -> dict[str, list[str]]:
    """How the students of earlier runs were named in their class."""
    return {record.student: record.origin for record in journal.read(plan.journal) if record.origin}


def _standing(
    log: journal.Journal, plan: Plan, work: Exercise, readers: intake.Submissions
) -> dict[str, Record]:
    """The results that need no grading again."""
    known, tests = log.latest(), journal.test_hash(work)
    return {
        student: known[student]
        for student, read in readers.items()
        if student in known and _still_holds(known[student], plan, tests, read)
    }


def _set_times(records: dict[str, Record], times: dict[str, float], log: journal.Journal, book: Book) -> None:
    """Write down for results that stand when these students handed in, where that is news."""
    for student, record in records.items():
        if times.get(student, record.submitted) != record.submitted:
            records[student] = replace(record, submitted=times[student])
            log.append(records[student])
            book.record(records[student])


def _graded(
    pool: workers.Local | workers.Cluster,
    plan: Plan,
    work: Exercise,
    readers: intake.Submissions,
    due: list[str],
    times: dict[str, float],
    before: dict[str, Record],
) -> Iterator[Record]:
    """Grade these students: each one's record, when the files of it are written, as they come.

    Args:
        times: when students handed in, if the collector says so now.
        before: the last record of each student.
    """
    tests = journal.test_hash(work)
    for job, reply in _replies_of(pool, plan, _jobs(plan, work, readers, due)):
        student, last = job.student, before.get(job.student)
        verdict = reply.verdict or Verdict.untried(State.FLAGGED, work, [reply.error], [])
        verdict = _clean(verdict)
        if reply.verdict:
            _write_files(plan, student, reply, verdict)
        tries = (last.tries if last else 0) + 1 if reply.error else 0
        yield Record(
            **vars(verdict),
            student=student,
            assignment=plan.assignment,
            fingerprint=job.fingerprint,
            tests_hash=tests,
            isolated=plan.isolate,
            comments={task.grade_id: verdict.comment(task) for task in work.tasks},
            submitted=times.get(student, last.submitted if last else None),
            key=plan.key,
            seed=plan.seed,
            limits=asdict(plan.limits),
            origin=readers.origins[student],
            trace=reply.trace,
            tries=tries,
            retry=bool(reply.error) and not reply.late and tries < MOST_TRIES,
            **journal.circumstances(),
        )


def _replies_of(
    pool: workers.Local | workers.Cluster, plan: Plan, jobs: Iterator[Job]
) -> Iterator[tuple[Job, Reply]]:
    """Run jobs, but first let a notebook of our own run where students' will.

    Raises:
        CourseError: it does not run with these limits.
    """
    for _, reply in pool.run([Job(plan.limits, plan.isolate)]):
        if reply.error:
            raise CourseError(f"No notebook can run here, so nothing was graded: {reply.error}.")
    yield from pool.run(jobs)


def _recorded(book: Book, record: Record) -> bool:
    """Write a record into the gradebook; while that is locked grading goes on, and it is brought up later."""
    try:
        book.record(record)
        return True
    except BookLost:
        return False


def _read(read: Callable[[], Collected]) -> Collected:
    """What a student handed in; if nothing of it can be read, that is said instead."""
    try:
        return read()
    except Exception as error:  # of disks, archives, network drives: none of them may stop the class
        why = getattr(error, "strerror", None) or "what was handed in is damaged"
        return Collected(flags=[f"the submission could not be read: {why}"])


def _keep_out_of_sight(plan: Plan) -> None:
    """Refuse to grade where a student's code could read what it must not see."""
    for what, path in (
        ("The solutions", plan.solution),
        ("The submissions", plan.submitted),
        ("The results", plan.out),
    ):
        if folder := walls.shown(path):
            raise CourseError(
                f"{what} ({path.resolve()}) lie inside {folder}, which students' code may read: it holds the "
                "system or the Python that it runs on. Nothing was graded. Move the course elsewhere, or let "
                "make give it an environment of its own."
            )


def look(plan: Plan) -> Run:
    """The results as they stand in the journal and the gradebook; nobody is graded.

    Raises:
        CourseError: there are none.
    """
    plan.must_be_graded()
    work = _exercise(plan)
    with (
        contextlib.closing(journal.Journal(plan.journal)) as log,
        Book(plan.url, plan.assignment, work) as book,
    ):
        _catch_up(book, log)
        return _results(plan, work, log, book, present=log.latest(), graded=0)


def _results(
    plan: Plan, work: Exercise, log: journal.Journal, book: Book, present: Collection[str], graded: int
) -> Run:
    tests = journal.test_hash(work)
    records = {student: record.completed(work) for student, record in sorted(log.latest().items())}
    absent = [student for student in records if student not in present]
    stale = [student for student in absent if records[student].tests_hash != tests]
    rows = [row for row in book.rows() if row["student_id"] in records]
    course = book.rows(every=True)
    return Run(plan, work, records, rows, course, book.marks(), absent, stale, graded, log.odd)


def fingerprint(collected: Collected) -> str:
    """Identifies a submission as it was found, with what was left out of it."""
    return sha256("\n".join([collected.receipt, *collected.notes, *collected.flags]).encode()).hexdigest()


def _class_key(log: journal.Journal) -> str:
    """The key of the last run, so that grading again tries answers on the same numbers; else a new one."""
    return next((record.key for record in reversed(log.records) if record.key), secrets.token_hex(16))


def _still_holds(record: Record, plan: Plan, tests: str, read: Callable[[], Collected]) -> bool:
    """A result stands while the submission and all that graded it are those it came from."""
    now = tests, plan.isolate, plan.key, plan.seed
    same = now == (record.tests_hash, record.isolated, record.key, record.seed) and not record.retry
    return same and _limits_hold(record, plan) and record.fingerprint == fingerprint(_read(read))


def _limits_hold(record: Record, plan: Plan) -> bool:
    """Under other limits a result may be another one; but who has every point gains nothing by wider ones."""
    then, now = record.limits, asdict(plan.limits)
    wider = all(limit >= then.get(name, math.inf) for name, limit in now.items())
    return then == now or (wider and all(test.passed for test in record.tests.values()))


def _catch_up(book: Book, log: journal.Journal) -> None:
    """Bring the gradebook up to the journal, after a crash or for a new database."""
    have = book.scores(automatic=True)
    last = log.records[-1].student if log.records else None
    for student, record in log.latest().items():
        scores = have.get(student, {})
        if student == last or any(scores.get(name) != test.score for name, test in record.tests.items()):
            book.record(record)


def _jobs(plan: Plan, work: Exercise, readers: intake.Submissions, due: list[str]) -> Iterator[Job]:
    """What workers get for each student, read when a worker is free."""
    notebook = json.dumps(work.notebook)
    for student in due:
        collected = _read(readers[student])
        yield Job(
            limits=plan.limits,
            isolate=plan.isolate,
            student=student,
            assignment=plan.assignment,
            exercise=notebook,
            files=collected.files,
            notes=collected.notes,
            flags=collected.flags,
            fingerprint=fingerprint(collected),
            key=plan.key or "",
            seed=plan.seed,
        )


def _pool(plan: Plan, most: int) -> workers.Local | workers.Cluster:
    if plan.cluster:
        return workers.Cluster(plan.cluster)
    return workers.Local(min(plan.workers or len(os.sched_getaffinity(0)), most))


def _clean(value: Any) -> Any:
    """Strangers' words, without what databases and files refuse: control characters, lone surrogates."""
    if type(value) is str:
        value = value.encode("utf-8", "replace").decode()
        return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "?", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, Verdict | Outcome):
        return replace(value, **{name: _clean(part) for name, part in vars(value).items()})
    return value


def _write_files(plan: Plan, student: str, reply: Reply, verdict: Verdict) -> None:
    """The executed notebook and the feedback page, in nbgrader's folders; what hinders that goes to a person.

    Raises:
        OSError: the disk is full or cannot be written at all.
    """
    try:
        for folder, name, content in (
            ("autograded", NOTEBOOK, json.dumps(reply.notebook, indent=1, sort_keys=True)),
            ("feedback", "exercises.html", reply.feedback),
        ):
            private.write(plan.out / folder / student / plan.assignment / name, content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO):
            raise
        verdict.flag(f"its feedback could not be written: {error.strerror}")


CAUSES = {  # what a record says of how it came about, and what a change of it is called
    "fingerprint": "the submission changed",
    "tests_hash": "the tests changed",
    "key": "another class key",
    "seed": "another seed",
    "versions": "other versions of the packages",
    "limits": "other limits",
    "machine": "another machine",
}


def changes(before: dict[str, Record], after: dict[str, Record]) -> list[tuple[str, float, float, str]]:
    """Who changed between two sets of records: (student, points before, points after, why)."""
    found = []
    for student, new in sorted(after.items()):
        old = before.get(student)
        moved = _moved(old, new) if old else []
        if old and moved:
            causes = [words for name, words in CAUSES.items() if getattr(old, name) != getattr(new, name)]
            why = " and ".join(causes) or "the same work, tests and versions: it is not stable"
            found.append((student, old.total, new.total, f"{', '.join(moved)}: {why}"))
    return found


def _moved(old: Record, new: Record) -> list[str]:
    """The tests that give other points than before."""
    scores = {name: test.score for name, test in old.tests.items()}
    return [
        f"{name} {scores.get(name, 0):g} -> {test.score:g}"
        for name, test in new.tests.items()
        if scores.get(name, 0) != test.score
    ]


_LINE = "\n"
_NUMBER = re.compile(r"(?<![\w.])-?\d+(\.\d+)?(e[-+]?\d+)?(?!\w)")


def mistakes(records: dict[str, Record]) -> list[tuple[str, str, int]]:
    """The commonest diagnoses: (test, message with numbers left out, how many students)."""
    counts = Counter(
        (name, f"{test.status}: {_NUMBER.sub('#', test.message.partition(_LINE)[0])[:200]}")
        for record in records.values()
        for name, test in record.tests.items()
        if not test.passed
    )
    return sorted(((n, w, c) for (n, w), c in counts.items()), key=lambda item: (-item[2], item[0], item[1]))
