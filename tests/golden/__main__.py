"""What the course says today, kept word for word while its code is moved: marks, messages, densities.

    make golden                         compare with the record; each difference is listed by name
    python -m tests.golden --write      write the record again (a change needs a reason)
    python -m tests.golden answers 04   one part, and of it the names that contain a word

The parts: `weights` (log-densities of eight points under every trained flow), `answers` (every answer of
every exercise), `classes` (the sample class of each lesson) and `hostile` (the hostile class).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path

import torch

from flowlib.assets import load_weights
from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import read_answers
from flowlib.course.exercises.release import releasable
from flowlib.course.grading import journal
from flowlib.course.grading import record as grading
from flowlib.course.grading.rehearsal import rehearse
from tests.conftest import HOUSE

RECORD = Path(__file__).with_name("record.json")
Record = dict[str, list]  # what was judged -> what was said of it


def weights() -> Iterator[tuple[str, list]]:
    """The log-density of eight points under each flow of assets/weights, to seven digits."""
    for path in sorted((HOUSE / "assets" / "weights").glob("*.py")):
        if "FLOWS" not in path.read_text():
            continue
        for name, made in load(path).FLOWS.items():
            build = made[0] if isinstance(made, tuple) else made  # some scripts say beside it how to train
            flow = load_weights(build(), path.stem, name)
            draw = torch.rand if len(flow.event_shape) == 3 else torch.randn  # pixels lie in (0, 1)
            points = draw(8, *flow.event_shape, generator=torch.Generator().manual_seed(0))
            context = torch.zeros(8, flow.context, dtype=torch.float64) if flow.context else None
            with torch.no_grad():
                yield (
                    f"{path.stem} {name}",
                    [f"{v:.6g}" for v in flow.double().log_prob(points.double(), context)],
                )


def load(path: Path):
    spec = util.spec_from_file_location(f"weights_{path.stem}", path)
    script = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def answers() -> Iterator[tuple[str, list]]:
    """What each test says of each answer, and of the reference."""
    for lesson in releasable(HOUSE):
        work = exercise.read(HOUSE / "solutions" / lesson / "exercises.ipynb")
        tried = [(task.grade_id, task.grade_id, None) for task in work.tasks]
        tried += [(answer.name, answer.task, answer.source) for answer in read_answers(work)]
        for name, task, source in tried:
            outcomes = rehearse(work, task, source).items()
            yield f"{lesson[:2]} {name}", [[test, o.points, o.passed, o.message] for test, o in outcomes]


def classes() -> Iterator[tuple[str, list]]:
    """What the real grader says of each student of each sample class."""
    for lesson in releasable(HOUSE):
        command = [sys.executable, "-m", "flowlib.course.cli", "sample-class", lesson]
        subprocess.run(command, cwd=HOUSE, check=True, capture_output=True)
        records = journal.read(HOUSE / ".build" / "grade" / "journal" / f"{lesson}.jsonl")
        yield from ((f"{lesson[:2]} {record.student}", said(record)) for record in records)


def hostile() -> Iterator[tuple[str, list]]:
    from tests.grading.course import LESSON, Class, make_course
    from tests.grading.hostile import ATTACKS
    from tests.grading.run import FAST, grade

    with tempfile.TemporaryDirectory() as place:
        klass = Class(make_course(Path(place) / "course"))
        for attack in ATTACKS:
            attack.write(klass, attack.name)
        grade(klass, *FAST, "--class-key", "tests")
        records = journal.read(klass.root / "out" / "journal" / f"{LESSON}.jsonl")
        yield from ((record.student, said(record)) for record in sorted(records, key=lambda r: r.student))


def said(record: grading.Record) -> list:
    tests = [[name, t.status, t.score, t.message] for name, t in record.tests.items()]
    return [record.outcome, record.why, *tests]


PARTS: dict[str, Callable[[], Iterator[tuple[str, list]]]] = {
    "weights": weights,
    "answers": answers,
    "classes": classes,
    "hostile": hostile,
}


def differences(old: Record, new: Record) -> list[str]:
    """Each name whose record changed, and how."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            found.append(f"{name}\n    was {old.get(name)}\n    is  {new.get(name)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__.split("\n")[0])
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    changed = 0
    for part in [asked.part] if asked.part else PARTS:
        new = {name: what for name, what in PARTS[part]() if asked.word in name}
        old = {name: what for name, what in record.get(part, {}).items() if asked.word in name}
        found = differences(old, new)
        changed += len(found)
        print(
            "\n".join([f"{part}: {len(new)} judged, {len(found)} differ from the record", *found]), flush=True
        )
        if asked.write:
            record[part] = record.get(part, {}) | new if asked.word else new
            RECORD.write_text(json.dumps(record, indent=0, ensure_ascii=False, sort_keys=True) + "\n")
    return 1 if changed and not asked.write else 0


if __name__ == "__main__":
    sys.exit(main())
