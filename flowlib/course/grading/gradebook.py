"""Scores into nbgrader's database, by one writer, so that formgrader and nbgrader go on from there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from nbformat import from_dict
from nbgrader.api import Grade, Gradebook, InvalidEntry, MissingEntry, SubmittedAssignment
from nbgrader.utils import compute_checksum
from sqlalchemy import text as sql
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from flowlib.course.exercises.exercise import Exercise, Role
from flowlib.course.folders import CourseError
from flowlib.course.grading import private
from flowlib.course.grading.marks import Mark, Marks
from flowlib.course.grading.record import Record, State, Status

NOTEBOOK = "exercises"


class BookLost(CourseError):
    """The gradebook cannot be read or written; what is graded stands in the journal."""


class Book:
    """nbgrader's gradebook, open for one assignment, or only to erase from it.

    Args:
        url: SQLAlchemy's address of the database, e.g. sqlite:///gradebook.db.
    """

    def __init__(
        self, url: str, assignment: str = "", exercise: Exercise | None = None, course: str = "flows"
    ):
        self.assignment = assignment
        # nbgrader starts alembic by name, which lies beside this Python.
        os.environ["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        if url.startswith("sqlite:///"):
            private.file(Path(url.removeprefix("sqlite:///")))
        try:
            self.book = Gradebook(url, course_id=course)
        except Exception as error:
            raise CourseError(
                f"The gradebook {_without_password(url)} cannot be opened: {_said(error)}"
            ) from error
        self.url = _without_password(url)
        if exercise:
            with self._in_words():
                self._prepare(exercise)

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_) -> None:
        with self._in_words():
            self.book.close()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Whatever the database cannot do becomes one sentence."""
        try:
            yield
        except (SQLAlchemyError, InvalidEntry) as error:
            with contextlib.suppress(SQLAlchemyError):
                self.book.db.rollback()
            raise BookLost(
                f"The gradebook {self.url} cannot be used: {_said(error)}. What is graded is kept in the "
                "journal; mend this and run the same command again."
            ) from error

    def _prepare(self, exercise: Exercise) -> None:
        """Record the assignment's cells, as nbgrader's generate_assignment does."""
        book, name = self.book, self.assignment
        book.update_or_create_assignment(name)
        book.update_or_create_notebook(NOTEBOOK, name, kernelspec=json.dumps(_KERNEL))
        for cell in exercise.cells:
            if cell.role is Role.OTHER:
                continue
            where = cell.grade_id, NOTEBOOK, name
            try:
                if cell.points is not None:
                    book.update_or_create_grade_cell(
                        *where, max_score=float(cell.points), cell_type=cell.kind
                    )
                if not cell.given:
                    book.update_or_create_solution_cell(*where)
                book.update_or_create_source_cell(
                    *where,
                    cell_type=cell.kind,
                    source=cell.source,
                    locked=cell.given,
                    checksum=compute_checksum(from_dict({**cell.raw, "source": cell.source})),
                )
            except InvalidEntry as error:
                raise CourseError(f"The gradebook refuses cell {cell.grade_id} of {name}: {error}") from error

    def record(self, record: Record) -> None:
        """Write one record of the journal; doing it twice changes nothing.

        Points that a person gave are kept; if the automatic ones have changed, the person is asked
        to look again, as nbgrader does.
        """
        with self._in_words():
            self._record(record)

    def _record(self, record: Record) -> None:
        book, name, student = self.book, self.assignment, record.student
        with warnings.catch_warnings():  # nbgrader 0.9.6 with SQLAlchemy 2.1: its own order of adding rows
            warnings.simplefilter("ignore", SAWarning)
            book.update_or_create_student(student)
            submission = book.update_or_create_submission(name, student)
        submission.timestamp = _when(record.submitted)
        for notebook in submission.notebooks:
            have = {grade.cell_id for grade in notebook.grades}
            for cell in notebook.notebook.grade_cells:
                if cell.id not in have:  # a test that was added after this submission was graded first
                    book.db.add(Grade(cell_id=cell.id, notebook=notebook))
            book.db.flush()
            book.db.refresh(notebook)
            notebook.flagged = record.outcome is State.FLAGGED
            for grade in notebook.grades:
                self._set(grade, record)
            for comment in notebook.comments:
                comment.auto_comment = record.comments.get(comment.name)
        book.db.commit()

    @staticmethod
    def _set(grade: Grade, record: Record) -> None:
        outcome = record.tests.get(grade.name)
        before = grade.auto_score
        if outcome is None:  # a written answer
            blank = grade.name in record.unanswered
            grade.auto_score = 0.0 if blank else None
            grade.needs_manual_grade = grade.manual_score is None and not blank
        else:
            grade.auto_score = outcome.score
            changed = before is not None and before != grade.auto_score
            ungraded = outcome.status is Status.NOT_GRADED
            grade.needs_manual_grade = ungraded or (grade.manual_score is not None and changed)

    def scores(self, automatic: bool = False) -> dict[str, dict[str, float | None]]:
        """What each student has now by grade_id: automatic and manual points together, or the automatic."""
        with self._in_words():
            return {
                submission.student_id: {
                    grade.name: grade.auto_score if automatic else grade.score
                    for notebook in submission.notebooks
                    for grade in notebook.grades
                }
                for submission in self._submissions()
            }

    def marks(self) -> dict[str, Marks]:
        """Every student's marks of this assignment, with what a person gave and said."""
        with self._in_words():
            return {submission.student_id: _marks(submission) for submission in self._submissions()}

    def rows(self, every: bool = False) -> list[dict]:
        """One row for each submission in the columns of nbgrader's own export.

        Args:
            every: the submissions to all assignments that the gradebook holds, not to this one alone.
        """
        with self._in_words():
            names = [assignment.name for assignment in self.book.assignments] if every else [self.assignment]
            rows = [_row(submission) for name in names for submission in self._submissions(name)]
        return sorted(rows, key=lambda row: (row["assignment"], row["student_id"]))

    def erase(self, student: str) -> bool:
        """Remove a student with all marks and comments of every assignment; False if there is no such one."""
        with self._in_words():
            try:
                self.book.remove_student(student)
            except MissingEntry:
                return False
            if self.book.db.get_bind().dialect.name == "sqlite":
                self.book.db.execute(sql("VACUUM"))  # what is deleted stays in the file until then
            return True

    def _submissions(self, assignment: str | None = None) -> list[SubmittedAssignment]:
        self.book.db.expire_all()
        return self.book.assignment_submissions(assignment or self.assignment)


def _row(submission: SubmittedAssignment) -> dict:
    student = submission.student
    return {
        "assignment": submission.assignment.name,
        "duedate": submission.assignment.duedate or "",
        "timestamp": submission.timestamp or "",
        "student_id": student.id,
        "last_name": student.last_name or "",
        "first_name": student.first_name or "",
        "email": student.email or "",
        "raw_score": submission.score,
        "late_submission_penalty": submission.late_submission_penalty,
        "score": max(0.0, submission.score - submission.late_submission_penalty),
        "max_score": submission.max_score,
        "needs_manual_grade": submission.needs_manual_grade,
    }


def _marks(submission: SubmittedAssignment) -> Marks:
    cells, comments = {}, {}
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            by_person = grade.manual_score is not None
            waits = bool(grade.needs_manual_grade) and not by_person
            cells[grade.name] = Mark(grade.score or 0.0, grade.max_score, by_person, waits)
        for comment in notebook.comments:
            if comment.manual_comment:
                comments[comment.name] = comment.manual_comment
    return Marks(cells, comments, submission.late_submission_penalty)


_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def _when(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(int(stamp), UTC).replace(tzinfo=None)


def _said(error: Exception) -> str:
    """A database's own words, in one line."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:
        return "at this address"
