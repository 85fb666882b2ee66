"""`flowcourse new-lesson`: the first draft of a lesson. It runs; what its tests miss is what to write."""

from __future__ import annotations

import re
from pathlib import Path

from flowlib.course.folders import CourseError, lesson_names

SCAFFOLD = Path(__file__).parent / "scaffold"
# Where each file of the scaffold goes; NAME is the lesson's folder. None is called exercises.ipynb: students'
# code may read flowlib, and a search for a file of that name must find nothing.
HOMES = {
    "lesson.ipynb": "lessons/NAME/lesson.ipynb",
    "demo.ipynb": "lessons/NAME/demo.ipynb",
    "exercise_set.ipynb": "solutions/NAME/exercises.ipynb",
    "answers.txt": "solutions/NAME/answers/task1.py",
}


def new_lesson(root: Path, name: str) -> list[Path]:
    """Write the files of a new lesson and return their paths.

    Args:
        name: its folder, a number of two digits and words: 08_splines_and_mixtures.

    Raises:
        CourseError: the name has another form, or there is a lesson of this number.
    """
    if not re.fullmatch(r"\d\d(_[a-z0-9]+)+", name):
        raise CourseError(f"A lesson is called like 08_splines_and_mixtures; got {name!r}.")
    taken = [other for other in lesson_names(root) if other[:2] == name[:2]]
    if taken:
        raise CourseError(f"There is a lesson {int(name[:2])} already: {taken[0]}.")
    words = {
        "@NAME": name,
        "@NN": name[:2],
        "@N": str(int(name[:2])),
        "@TITLE": name[3:].replace("_", " ").capitalize(),
    }
    written = []
    for file, home in HOMES.items():
        content = (SCAFFOLD / file).read_text(encoding="utf-8")
        for mark, word in words.items():
            content = content.replace(mark, word)
        path = root / home.replace("NAME", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written
