"""A grading run: the class in, the gradebook, feedback and reports out."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator
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
from flowlib.course.grading.trusted import NOT_GRADED, PASSED

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


@dataclass
class Run:
    """What came of a run, and of those before it: results of a lesson are added to, never replaced."""

    plan: Plan
    exercise: Exercise
    entries: dict[str, dict]  # student -> journal entry
    rows: list[dict]  # the gradebook's rows for this lesson
    course: list[dict]  # its rows for all lessons
    marks: dict[str, Marks]  # student -> points and comments, those of a person included
    absent: list[str]  # students of earlier runs who are not in this class: their results stand
    stale: list[str]  # those of them whom other tests graded
    graded: int = 0  # how many were graded in this run; the others stood in the journal already
    odd: int = 0  # lines of the journal that are no entries, and count as not written
    arrived: intake.Submissions | None = None  # the class as it came; none: nobody was graded now
    pairs: list = field(default_factory=list)  # similar submissions

    @property
    def needs_person(self) -> dict[str, list[str]]:
        """Who needs a person, and why."""
        return {s: e["why"] for s, e in self.entries.items() if e["outcome"] != "graded"}

    @property
    def without_walls(self) -> bool:
        """Whether a submission was graded without a sandbox."""
        return any(not entry["isolated"] for entry in self.entries.values())


def grade(plan: Plan, progress: Callable[[int, int, str], None] | None = None, again: bool = False) -> Run:
    """Grade a class. Called again after an interruption it goes on where it stopped.

    Args:
        progress: called with (done, total, student) after each submission.
        again: grade also what the journal already holds.

    Raises:
        CourseError: nothing can be graded; the message says why and what to do.
        walls.NoSandbox: this machine has no sandbox.
    """
    needs_linux()
    try:
        work = exercises.read(plan.solution)
    except (FileNotFoundError, ValueError) as error:
        raise CourseError(f"The exercise cannot be read: {error}") from error
    if plan.isolate:
        _keep_out_of_sight(plan)
    if plan.isolate and not plan.cluster:  # on a cluster each worker's machine is asked
        walls.probe()
    readers = intake.read_class(plan.submitted, plan.assignment, _origins(plan))
    times = intake.read_times(plan.times) if plan.times else {}
    private.folder(plan.out)
    tests = journal.test_hash(work)
    with contextlib.ExitStack() as held:
        log = held.enter_context(contextlib.closing(journal.Journal(plan.journal)))
        plan = replace(plan, key=plan.key or _class_key(log))
        before = log.latest()
        entries = {} if again else _standing(before, plan, tests, readers)
        due = [student for student in readers if student not in entries]
        pool = held.enter_context(contextlib.closing(_pool(plan, len(due)))) if due else None
        book = held.enter_context(Book(plan.url, plan.assignment, work))
        _catch_up(book, log)
        _set_times(entries, times, log, book)
        if progress:
            progress(len(entries), len(readers), "")
        behind = False
        for job, result in _results_of(pool, plan, _jobs(plan, work, readers, due)) if pool else ():
            student = job["student"]
            _write_files(plan, student, result)
            last = before.get(student, {})
            time = times.get(student, last.get("submitted"))
            entry = _entry(plan, work, tests, job, result, time, last.get("tries", 0))
            entry["origin"] = readers.origins[student]
            log.append(entry)
            behind = behind or not _recorded(book, entry)
            entries[student] = entry
            if progress:
                progress(len(entries), len(readers), student)
        if behind:
            _catch_up(book, log)
        results = _results(plan, work, log, book, present=entries, graded=len(due))
        return replace(results, arrived=readers)


def _origins(plan: Plan) -> dict[str, list[str]]:
    """How the students of earlier runs were named in their class."""
    entries = journal.read(plan.journal)
    return {e["student"]: e["origin"] for e in entries if isinstance(e.get("origin"), list)}


def _standing(known: dict[str, dict], plan: Plan, tests: str, readers: dict) -> dict[str, dict]:
    """The results that need no grading again."""
    return {
        student: known[student]
        for student, read in readers.items()
        if student in known and _still_holds(known[student], plan, tests, read)
    }


def _set_times(entries: dict[str, dict], times: dict[str, float], log: journal.Journal, book: Book) -> None:
    """Write down for results that stand when these students handed in, where that is news."""
    for student, entry in entries.items():
        known = entry.get("submitted")
        if times.get(student, known) != known:
            entries[student] = entry | {"submitted": times[student]}
            log.append(entries[student])
            book.record(entries[student])


def _results_of(
    pool: workers.Local | workers.Cluster, plan: Plan, jobs: Iterator[dict]
) -> Iterator[tuple[dict, dict]]:
    """Run jobs, but first let a notebook of our own run where students' will.

    Raises:
        CourseError: it does not run with these limits.
    """
    trial = {"student": "", "trial": True, "limits": asdict(plan.limits), "isolate": plan.isolate}
    for _, result in pool.run([trial]):
        if why := result.get("error") or result["trial"]:
            raise CourseError(f"No notebook can run here, so nothing was graded: {why}.")
    yield from pool.run(jobs)


def _recorded(book: Book, entry: dict) -> bool:
    """Write an entry into the gradebook; while that is locked grading goes on, and it is brought up later."""
    try:
        book.record(entry)
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
    if not plan.journal.exists():
        short = plan.assignment[:2]
        raise CourseError(
            f"{plan.assignment} has not been graded in {plan.out}. Run: flowcourse grade {short}"
        )
    work = exercises.read(plan.solution)
    log = journal.Journal(plan.journal)
    try:
        with Book(plan.url, plan.assignment, work) as book:
            _catch_up(book, log)
            return _results(plan, work, log, book, present=log.latest(), graded=0)
    finally:
        log.close()


def _results(plan: Plan, work: Exercise, log: journal.Journal, book: Book, present, graded: int) -> Run:
    tests = journal.test_hash(work)
    entries = {student: _complete(entry, work) for student, entry in sorted(log.latest().items())}
    absent = [student for student in entries if student not in present]
    stale = [student for student in absent if entries[student]["tests_hash"] != tests]
    rows = [row for row in book.rows() if row["student_id"] in entries]
    course = book.rows(every=True)
    return Run(plan, work, entries, rows, course, book.marks(), absent, stale, graded, log.odd)


def _complete(entry: dict, work: Exercise) -> dict:
    """An entry with an outcome for each test, also for one that is newer than the entry."""
    new = {
        test.grade_id: _not_graded(test, "this test is newer than the grading of this submission")
        for task in work.tasks
        for test in task.tests
    }
    return {**entry, "tests": new | entry["tests"]}


def _not_graded(test, why: str) -> dict:
    return {"status": NOT_GRADED, "score": 0.0, "points": test.points, "message": why, "seconds": 0.0}


def fingerprint(collected: Collected) -> str:
    """Identifies a submission as it was found, with what was left out of it."""
    return sha256("\n".join([collected.receipt, *collected.notes, *collected.flags]).encode()).hexdigest()


def _class_key(log: journal.Journal) -> str:
    """The key of the last run, so that grading again tries answers on the same numbers; else a new one."""
    return next((entry["key"] for entry in reversed(log.entries) if "key" in entry), secrets.token_hex(16))


def _still_holds(entry: dict, plan: Plan, tests: str, read: Callable[[], Collected]) -> bool:
    """A result stands while the submission and all that graded it are those it came from."""
    same = entry["tests_hash"] == tests and entry["isolated"] == plan.isolate and not entry.get("retry")
    same = same and (entry.get("key"), entry.get("seed")) == (plan.key, plan.seed)
    return same and _limits_hold(entry, plan) and entry["fingerprint"] == fingerprint(_read(read))


def _limits_hold(entry: dict, plan: Plan) -> bool:
    """Under other limits a result may be another one; but who has every point gains nothing by wider ones."""
    then, now = entry.get("limits"), asdict(plan.limits)
    if then == now:
        return True
    wider = isinstance(then, dict) and all(now[name] >= then.get(name, math.inf) for name in now)
    return wider and all(outcome["status"] == PASSED for outcome in entry["tests"].values())


def _catch_up(book: Book, log: journal.Journal) -> None:
    """Bring the gradebook up to the journal, after a crash or for a new database."""
    have = book.scores(automatic=True)
    entries = log.latest()
    last = log.entries[-1]["student"] if log.entries else None
    for student, entry in entries.items():
        want = {name: outcome["score"] for name, outcome in entry["tests"].items()}
        scores = have.get(student, {})
        if student == last or any(scores.get(name) != score for name, score in want.items()):
            book.record(entry)


def _jobs(plan: Plan, work: Exercise, readers: dict, due: list[str]) -> Iterator[dict]:
    """What workers get for each student, read when a worker is free."""
    notebook = json.dumps(work.notebook)
    for student in due:
        yield _job(plan, student, _read(readers[student]), notebook)


def _job(plan: Plan, student: str, collected: Collected, notebook: str) -> dict:
    return {
        "student": student,
        "exercise": notebook,
        "assignment": plan.assignment,
        "files": collected.files,
        "notes": collected.notes,
        "flags": collected.flags,
        "fingerprint": fingerprint(collected),
        "limits": asdict(plan.limits),
        "key": plan.key,
        "seed": plan.seed,
        "isolate": plan.isolate,
    }


def _pool(plan: Plan, most: int) -> workers.Local | workers.Cluster:
    if plan.cluster:
        return workers.Cluster(plan.cluster)
    return workers.Local(min(plan.workers or len(os.sched_getaffinity(0)), most))


def _entry(
    plan: Plan,
    work: Exercise,
    tests: str,
    job: dict,
    result: dict,
    submitted: float | None,
    tries: int,
) -> dict:
    """The journal's line for a result.

    Args:
        submitted: when the student handed in, if that is known.
        tries: how often the grader itself has failed on this student's work.
    """
    entry = {
        "student": job["student"],
        "assignment": plan.assignment,
        "fingerprint": job["fingerprint"],
        "tests_hash": tests,
        "key": plan.key,
        "seed": plan.seed,
        "limits": job["limits"],
        "isolated": plan.isolate,
        "submitted": submitted,
        **journal.circumstances(),
    }
    if "error" in result:
        message = result["error"]
        result.update(
            outcome="flagged", why=[message], notes=[], receipt="", seconds=0.0, sources={}, unanswered=[]
        )
        entry["trace"] = result.get("trace", "")
        entry["tries"] = tries + 1
        entry["retry"] = not result.get("late") and entry["tries"] < MOST_TRIES
        result["tests"] = {
            test.grade_id: _not_graded(test, message) for task in work.tasks for test in task.tests
        }
    result = _clean(result)
    for key in ("outcome", "why", "notes", "tests", "receipt", "seconds", "sources", "unanswered"):
        entry[key] = result[key]
    entry["comments"] = {task.grade_id: _comment(task, entry["tests"]) for task in work.tasks}
    return entry


def _clean(value: Any) -> Any:
    """Strangers' words, without what databases and files refuse: control characters, lone surrogates."""
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode()
        return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "?", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _comment(task, tests: dict[str, dict]) -> str | None:
    lines = [
        f"{test.grade_id}: {tests[test.grade_id]['status']}. {tests[test.grade_id]['message']}".strip()
        for test in task.tests
        if tests[test.grade_id]["status"] != PASSED
    ]
    return "\n".join(lines) or None


def _write_files(plan: Plan, student: str, result: dict) -> None:
    """The executed notebook and the feedback page, in nbgrader's folders; what hinders that goes to a person.

    Raises:
        OSError: the disk is full or cannot be written at all.
    """
    if "feedback" not in result:
        return
    try:
        for folder, name, content in (
            ("autograded", NOTEBOOK, json.dumps(result["notebook"], indent=1, sort_keys=True)),
            ("feedback", "exercises.html", result["feedback"]),
        ):
            private.write(plan.out / folder / student / plan.assignment / name, content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO):
            raise
        result["outcome"] = "flagged"
        result["why"].append(f"its feedback could not be written: {error.strerror}")


def changes(before: dict[str, dict], after: dict[str, dict]) -> list[tuple[str, float, float, str]]:
    """Who changed between two sets of journal entries: (student, points before, points after, why)."""
    found = []
    for student, new in sorted(after.items()):
        old = before.get(student)
        if old is None:
            continue
        moved = [
            f"{name} {old['tests'].get(name, {}).get('score', 0):g} -> {outcome['score']:g}"
            for name, outcome in new["tests"].items()
            if old["tests"].get(name, {}).get("score", 0) != outcome["score"]
        ]
        if not moved:
            continue
        reasons = [
            words
            for words, key in (
                ("the submission changed", "fingerprint"),
                ("the tests changed", "tests_hash"),
                ("another class key", "key"),
                ("another seed", "seed"),
                ("other versions of the packages", "versions"),
                ("other limits", "limits"),
                ("another machine", "machine"),
            )
            if old.get(key) != new.get(key)
        ]
        why = (
            ", ".join(moved)
            + ": "
            + (" and ".join(reasons) or "the same work, tests and versions: it is not stable")
        )
        found.append((student, _total(old), _total(new), why))
    return found


def _total(entry: dict) -> float:
    return sum(outcome["score"] for outcome in entry["tests"].values())


def mistakes(entries: dict[str, dict]) -> list[tuple[str, str, int]]:
    """The commonest diagnoses: (test, message with numbers left out, how many students)."""
    counts: dict[tuple[str, str], int] = {}
    for entry in entries.values():
        for name, outcome in entry["tests"].items():
            if outcome["status"] != PASSED:
                words = re.sub(
                    r"(?<![\w.])-?\d+(\.\d+)?(e[-+]?\d+)?(?!\w)", "#", outcome["message"].split("\n")[0]
                )[:200]
                key = name, f"{outcome['status']}: {words}"
                counts[key] = counts.get(key, 0) + 1
    return sorted(((n, w, c) for (n, w), c in counts.items()), key=lambda item: (-item[2], item[0], item[1]))
