"""Written answers: which cell holds one, also when an editor has dropped the cells' marks.

A person reads them. So what may be an answer is never taken for none: a task is unanswered only if its
cell says what it said when released and no words of the student's own stand beside it.
"""

from __future__ import annotations

import re

from flowlib.course.exercises.exercise import Cell, Exercise, Role, WrittenTask, public

WRITE_HERE = "*Write your answer here.*"  # what released notebooks say in a written task
_STUB = re.compile(r"^\s*(raise NotImplementedError.*|# YOUR CODE HERE)$", re.MULTILINE)
TELLING = 60  # characters of a question that are enough to know it again


def find(cells: list[Cell], exercise: Exercise, notes: list[str], flags: list[str]) -> None:
    """Give a written task its cell back: the one that repeats its question, or stands at its place."""
    have = {cell.grade_id for cell in cells}
    for task in exercise.written:
        name = task.grade_id
        if name in have or any(name == coding.grade_id for coding in exercise.tasks):
            continue
        own = [cell for cell in cells if _is_own(cell, exercise)]
        near = _beside(cells, exercise, task)
        found = _with_its_question(cells, task) or near or own
        if not found:
            notes.append(f"the written answer {name} is missing")
        elif len(found) == 1 and (near or found != own):
            notes.append(f"{name} had lost its mark; its cell was found by its question or its place")
            found[0].role, found[0].grade_id = Role.WRITTEN, name
        else:
            flags.append(f"{name} had lost its mark: {len(found)} cells of text may be the answer")
            longest = max(found, key=lambda cell: len(cell.source))
            longest.role, longest.grade_id = Role.WRITTEN, name


def unanswered(cells: list[Cell], exercise: Exercise) -> list[str]:
    """The written tasks that surely hold no answer."""
    blank = []
    for task in exercise.written:
        given = [cell.source for cell in cells if cell.grade_id == task.grade_id]
        as_released = ("", _words(task.source))
        if all(_words(source) in as_released for source in given) and not _beside(cells, exercise, task):
            blank.append(task.grade_id)
    return blank


def is_blank(cells: list[Cell], grade_id: str) -> bool:
    """Whether the cell of a written task is gone, empty, or says where to write and nothing else.

    For a student's own check: in the students' edition nothing but this file says how it was released.
    """
    return not any(_words(cell.source) for cell in cells if cell.grade_id == grade_id)


def _beside(cells: list[Cell], exercise: Exercise, task: WrittenTask) -> list[Cell]:
    """The student's own text between what the release has before a written task and what it has after."""
    places = _Places(exercise)
    at = places.of_mark[task.grade_id]
    start, end = 0, len(cells)
    for number, cell in enumerate(cells):
        place = places.of(cell)
        if place is None or place == at:
            continue
        if place < at:
            start, end = number + 1, len(cells)
        elif end == len(cells):
            end = number
    return [cell for cell in cells[start:end] if _is_own(cell, exercise)]


def _with_its_question(cells: list[Cell], task: WrittenTask) -> list[Cell]:
    question = _words(task.source)[:TELLING]
    return [c for c in cells if c.role is Role.OTHER and question and question in _words(c.source)]


def _is_own(cell: Cell, exercise: Exercise) -> bool:
    """Text, not code, that the student has added."""
    words = _words(cell.source)
    released = {_words(other.source) for other in exercise.cells}
    return cell.role is Role.OTHER and cell.kind != "code" and bool(words) and words not in released


class _Places:
    """Where the cells of a submission stand in the release: by their mark, else by what they say."""

    def __init__(self, exercise: Exercise):
        self.of_mark: dict[str, int] = {}
        self.of_words: dict[str, int] = {}
        for number, cell in enumerate(exercise.cells):
            self.of_mark[cell.grade_id] = number
            self.of_words[_words(cell.source)] = number

    def of(self, cell: Cell) -> int | None:
        if cell.grade_id:
            return self.of_mark.get(cell.grade_id)
        return self.of_words.get(_words(cell.source)) if cell.source.strip() else None


def _words(source: str) -> str:
    """What a cell says, without layout, stubs and what only instructors see."""
    return " ".join(_STUB.sub("", public(source)).replace(WRITE_HERE, "").split())
