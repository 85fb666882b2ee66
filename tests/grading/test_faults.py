"""Faults of disks, archives, databases and people: each costs its owner at most, and ends in a sentence."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from flowlib.course.grading import journal, scratch
from flowlib.course.grading.record import Record, Status
from tests.grading.course import ALL, LESSON, Class, make_course
from tests.grading.run import FAST, entries, points
from tests.grading.test_results import flowcourse

OPTIONS = [*FAST, "--class-key", "tests"]


# ---------------------------------------------------------------------------- of one student's work

MUCH = "for _ in range(60):\n    print('<' * 10**6)\n"
DEEP = "x = " + "(" * 5000 + ")" * 5000
HUGE_VALUE = "def affine(z, a, b):\n    return torch.zeros(20_000_000), z"

# For each fault: the members of the zip that hold it, the points, and what is said of it.
FAULTS: dict[str, tuple] = {
    "damaged": (lambda k: {"exercises.ipynb": k.right_notebook()}, 0, "damaged"),
    "encrypted": (lambda k: {"exercises.ipynb": k.right_notebook()}, 0, "password"),
    "unknown_method": (lambda k: {"exercises.ipynb": k.right_notebook()}, 0, "method"),
    "torn": (lambda k: {"exercises.ipynb": json.dumps(k.right_notebook())[:-300]}, 0, "ends in the middle"),
    "nothing": (lambda k: {"exercises.ipynb": ""}, 0, "0 bytes"),
    "no_notebook": (lambda k: {"answers.docx": "PK"}, 0, "found 'answers.docx'"),
    "nested": (lambda k: {"exercises.ipynb": "[" * 200_000}, 0, "nested too deep"),
    "list_of_cells": (lambda k: {"exercises.ipynb": "[]"}, 0, "no notebook"),
    "file_and_folder": (
        lambda k: {"data": "1", "data/x.csv": "2", "exercises.ipynb": k.right_notebook()},
        ALL,
        "no folder can hold",
    ),
    "endless_name": (
        lambda k: {"x" * 300 + ".csv": "1", "exercises.ipynb": k.right_notebook()},
        ALL,
        "no folder can hold",
    ),
    "large_files": (
        lambda k: {"a.bin": bytes(45 << 20), "b.bin": bytes(45 << 20), "exercises.ipynb": k.right_notebook()},
        ALL,
        "",
    ),
    "much_to_show": (
        lambda k: {"exercises.ipynb": k.right_notebook(**{t: MUCH + s for t, s in k.right.items()})},
        ALL,
        "",
    ),
    "large_value": (lambda k: {"exercises.ipynb": k.right_notebook(task1=HUGE_VALUE)}, ALL - 3, ""),
    "deep_code": (lambda k: {"exercises.ipynb": k.right_notebook(task2=DEEP)}, ALL - 4, ""),
    "page_is_in_the_way": (lambda k: {"exercises.ipynb": k.right_notebook()}, ALL, "could not be written"),
}


def write_zip(path: Path, klass: Class) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in ("aardvark", *FAULTS, "zebra"):
            files = (
                FAULTS[student][0](klass)
                if student in FAULTS
                else {"exercises.ipynb": klass.right_notebook()}
            )
            for name, content in files.items():
                content = json.dumps(content) if isinstance(content, dict) else content
                archive.writestr(f"{student}/{LESSON}/{name}", content)
    data = bytearray(path.read_bytes())
    for fault in ("damaged", "encrypted", "unknown_method"):
        spoil_member(data, fault, fault)
    path.write_bytes(data)


def spoil_member(data: bytearray, fault: str, student: str) -> None:
    """Change a student's member of a zip: its content, or what its header and the index say of it."""
    name = f"{student}/{LESSON}/exercises.ipynb".encode()
    header, index = data.index(name) - 30, data.rindex(name) - 46
    if fault == "damaged":
        data[header + 120 : header + 140] = bytes(20)
        return
    offset, value = {"encrypted": (6, 1), "unknown_method": (8, 77)}[fault]
    data[header + offset] |= value
    data[index + offset + 2] |= value


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    """The class with every fault in it, graded once."""
    klass = Class(make_course(tmp_path_factory.mktemp("faults")))
    write_zip(klass.root / "class.zip", klass)
    blocked = klass.root / "out" / "feedback"
    blocked.mkdir(parents=True)
    (blocked / "page_is_in_the_way").write_text("a file where a folder should be")
    klass.run = flowcourse(klass.root, "grade", "1", "--submitted", "class.zip", "--out", "out", *OPTIONS)
    klass.entries = entries(klass)
    return klass


def test_the_class_is_graded_to_its_end(klass):
    assert klass.run.returncode == 0, klass.run.stderr
    assert "Traceback" not in klass.run.stdout + klass.run.stderr
    assert klass.entries.keys() == {"aardvark", *FAULTS, "zebra"}
    assert points(klass.entries["aardvark"]) == points(klass.entries["zebra"]) == ALL
    assert not any(entry.get("retry") for entry in klass.entries.values())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_owner_at_most_and_is_put_into_words(klass, fault):
    _, earned, says = FAULTS[fault]
    entry = klass.entries[fault]
    words = "; ".join(entry["why"] + entry["notes"])
    assert points(entry) == earned, (words, {n: o["message"] for n, o in entry["tests"].items()})
    assert says in words
    for stray in ("Traceback", "Error", "Exception", str(klass.root), "/tmp/"):
        assert stray not in words, words


def test_a_value_too_large_is_called_so(klass):
    message = klass.entries["large_value"]["tests"]["task1_test"]["message"]
    assert "too large" in message and "76 MB" in message


# ---------------------------------------------------------------------------- of the run


@pytest.fixture
def results(klass, tmp_path):
    """A copy of the results of two students, and the zip they came in."""
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for student in ("aardvark", "zebra"):
            archive.writestr(f"{student}/{LESSON}/exercises.ipynb", json.dumps(klass.right_notebook()))
    out = tmp_path / "out"
    shutil.copytree(klass.root / "out", out)
    log = out / "journal" / f"{LESSON}.jsonl"
    kept = [
        line for line in log.read_bytes().splitlines() if json.loads(line)["student"] in ("aardvark", "zebra")
    ]
    log.write_bytes(b"\n".join(kept) + b"\n")
    return out


def again(klass, out: Path, *options: str, word: str = "grade"):
    done = flowcourse(
        klass.root,
        word,
        "1",
        "--submitted",
        str(out.parent / "two.zip"),
        "--out",
        str(out),
        *OPTIONS,
        *options,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_lines_that_are_no_results_are_passed_over(klass, results):
    log = results / "journal" / f"{LESSON}.jsonl"
    whole = json.loads(log.read_bytes().splitlines()[0])
    odd = [
        None,
        {},
        [],
        7,
        "x",
        {"student": "aardvark"},
        whole | {"tests": None},
        whole | {"outcome": "fine"},
    ]
    odd += [whole | {"tests": {"task1_test": {}}}, whole | {"submitted": "yesterday"}]
    log.write_bytes(
        b"".join(json.dumps(one).encode() + b"\n" for one in odd) + b"\xff\n\n" + log.read_bytes()
    )
    done = again(klass, results)
    assert done.returncode == 0, done.stderr
    assert "2 submissions have an outcome (0 graded now)" in done.stdout
    assert "12 lines of" in done.stdout and "held no result" in done.stdout


def no_database(klass, out):
    (out / "gradebook.db").write_bytes(b"this is no database" * 100)


def locked(klass, out):
    connection = sqlite3.connect(out / "gradebook.db", check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    klass.undo = connection.close


def out_is_a_file(klass, out):
    shutil.rmtree(out)
    out.write_text("")


def journal_is_a_folder(klass, out):
    (out / "journal" / f"{LESSON}.jsonl").unlink()
    (out / "journal" / f"{LESSON}.jsonl").mkdir()


def journal_is_in_use(klass, out):
    import fcntl

    file = open(out / "journal" / f"{LESSON}.jsonl")  # noqa: SIM115
    fcntl.flock(file, fcntl.LOCK_EX)
    klass.undo = file.close


def disk_is_full(klass, out):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    klass.undo = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def solution_is_broken(klass, out):
    whole = klass.solution.read_bytes()
    klass.solution.write_bytes(whole[:-100])
    klass.undo = lambda: klass.solution.write_bytes(whole)


def class_has_gone(klass, out):
    (out.parent / "two.zip").unlink()


def class_is_torn(klass, out):
    path = out.parent / "two.zip"
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (no_database, "cannot be opened: file is not a database"),
        (locked, "database is locked"),
        (out_is_a_file, "Not a directory"),
        (journal_is_a_folder, "Is a directory"),
        (journal_is_in_use, "Another run is grading"),
        (disk_is_full, "mend this and run the same command again"),
        (solution_is_broken, "The exercise cannot be read"),
        (class_has_gone, "no folder of submissions and no zip file"),
        (class_is_torn, "zip"),
    ],
)
def test_a_fault_of_the_run_is_one_sentence_and_code_1(klass, results, fault, says):
    klass.undo = lambda: None
    fault(klass, results)
    try:
        done = again(klass, results)
    finally:
        klass.undo()
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and says in done.stderr, done.stderr
    for stray in ("sqlite3.", "sqlalchemy", "OSError"):
        assert stray not in done.stderr


def test_a_gradebook_that_is_locked_meanwhile_is_brought_up_at_the_end(klass, tmp_path):
    """Somebody's transaction begins with the first result and ends with the last: nobody waits for it."""
    out = tmp_path / "out"
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for student in ("ann", "bob", "cem", "dan"):
            archive.writestr(f"{student}/{LESSON}/exercises.ipynb", json.dumps(klass.right_notebook()))
    log = out / "journal" / f"{LESSON}.jsonl"

    def lines() -> int:
        return log.read_bytes().count(b"\n") if log.exists() else 0

    def lock() -> None:
        while lines() < 1:
            time.sleep(0.01)
        with contextlib.closing(sqlite3.connect(out / "gradebook.db", timeout=60)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            while lines() < 4:
                time.sleep(0.01)

    thread = threading.Thread(target=lock)
    thread.start()
    done = again(klass, out)
    thread.join()
    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(out / "gradebook.db")) as connection:
        ((count, total),) = connection.execute(
            "SELECT count(DISTINCT notebook_id), sum(auto_score) FROM grade"
        )
    assert (count, total) == (4, 4 * ALL)


# ---------------------------------------------------------------------------- what a result holds for


def test_a_result_holds_for_its_limits_its_seed_and_the_time_of_handing_in(klass, results):
    from flowlib.course.box import walls
    from flowlib.course.grading import run

    whole = journal.read(results / "journal" / f"{LESSON}.jsonl")[0]
    stopped = replace(whole.tests["task1_test"], status=Status.TIMED_OUT)
    late = replace(whole, tests=whole.tests | {"task1_test": stopped})
    collected = run.intake.read_class(results.parent / "two.zip", LESSON)["aardvark"]

    def holds(record: Record, seed: int = 0, **limits) -> bool:
        have = walls.Limits(**record.limits | limits)
        plan = run.Plan(klass.solution, LESSON, results, results, key="tests", seed=seed, limits=have)
        return run._still_holds(record, plan, record.tests_hash, collected)

    assert holds(whole) and holds(late) and not holds(whole, seed=1)
    for name in ("cell_seconds", "total_seconds", "memory_mb"):
        assert holds(whole, **{name: 9999}), "who has every point gains nothing"
        assert not holds(late, **{name: 9999}) and not holds(whole, **{name: 1})
    (results.parent / "times.csv").write_text("student,time\nzebra,2026-01-02T03:04:05\n")
    done = again(klass, results, "--times", str(results.parent / "times.csv"))
    assert done.returncode == 0 and "0 graded now" in done.stdout, done.stderr
    for _ in range(2):  # a run without the table keeps the time
        rows = (results / "grades.csv").read_text().splitlines()
        assert [row.split(",")[2] for row in rows[1:] if "zebra" in row] == ["2026-01-02 03:04:05"]
        again(klass, results)


def test_what_a_killed_run_left_behind_is_swept(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, fresh, other = (tmp_path / name for name in ("flowcourse-aaaaaaaa", "flowcourse-bbbbbbbb", "mine"))
    for folder in (left, fresh, other):
        (folder / "submission").mkdir(parents=True)
    with scratch.folder() as used:
        for folder in (left, used, other):
            os.utime(folder, (0, 0))
        assert scratch.sweep() == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([fresh.name, other.name, used.name])
    assert not used.exists()


# ---------------------------------------------------------------------------- elsewhere, and forgotten


@pytest.mark.parametrize(
    ("platform", "word"), [("win32", "grade"), ("darwin", "regrade"), ("win32", "feedback")]
)
def test_another_system_is_told_in_one_line_before_any_import(klass, platform, word):
    program = f"""
import sys, sysconfig
from flowlib.course import cli
sysconfig.get_config_vars()  # Python's own, of this system
sys.platform = {platform!r}
for name in ("fcntl", "resource", "torch", "nbgrader"):
    sys.modules[name] = None
sys.argv = ["flowcourse", {word!r}, "1"]
cli.main()"""
    done = subprocess.run([sys.executable, "-c", program], cwd=klass.root, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "Error: Grading needs Linux: on Windows use WSL 2, on a Mac a Linux container.\n"


def test_a_student_can_be_erased(klass, results):
    def holding(name: str) -> list[Path]:
        return [path for path in results.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]

    shutil.rmtree(results / "feedback" / "zebra")  # so that something is left of an interrupted try
    assert holding("aardvark")
    done = flowcourse(klass.root, "erase", "aardvark", "--yes", "--out", str(results))
    assert done.returncode == 0 and "Erased aardvark: 1 results, 2 folders, marks and comments" in done.stdout
    assert not holding("aardvark") and not list(results.rglob("aardvark"))
    assert "zebra" in (results / LESSON / "grades.csv").read_text()
    for name, says in (("aardvark", "holds nothing of 'aardvark'"), ("../out", "no student's name")):
        refused = flowcourse(klass.root, "erase", name, "--yes", "--out", str(results))
        assert refused.returncode == 1 and says in refused.stderr
    assert flowcourse(klass.root, "erase", "zebra", "--yes", "--out", str(results)).returncode == 0
    assert not holding("zebra")


# ---------------------------------------------------------------------------- a whole class of them

BROKEN = (
    *("damaged", "encrypted", "unknown_method", "torn", "nothing", "no_notebook", "nested", "list_of_cells"),
    *("merge", "no_cells", "binary", "no_text"),
)
SAYS = {name: FAULTS[name][2] for name in BROKEN if name in FAULTS} | {
    "merge": "merge markers",
    "no_cells": "no list of cells",
    "binary": "it is no JSON",
    "no_text": "0 bytes of text",
}


@pytest.mark.soak
def test_three_hundred_broken_submissions_end_with_a_sentence_each(klass, tmp_path, capsys):
    kinds = {
        "merge": "<<<<<<< HEAD\n" + json.dumps(klass.right_notebook()),
        "no_cells": '{"nbformat": 4}',
        "binary": bytes(range(256)) * 40,
        "no_text": " \n ",
    }
    people = [
        "honest_first",
        *(f"{name}_{number:02}" for number in range(25) for name in BROKEN),
        "honest_last",
    ]
    with zipfile.ZipFile(tmp_path / "class.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for person in people:
            fault = person.rpartition("_")[0]
            held = FAULTS[fault][0](klass) if fault in FAULTS else {}
            held = held or {"exercises.ipynb": kinds.get(fault, klass.right_notebook())}
            for name, content in held.items():
                content = json.dumps(content) if isinstance(content, dict) else content
                archive.writestr(f"{person}/{LESSON}/{name}", content)
    data = bytearray((tmp_path / "class.zip").read_bytes())
    for number in range(25):
        spoil_member(data, "damaged", f"damaged_{number:02}")
        spoil_member(data, "encrypted", f"encrypted_{number:02}")
        spoil_member(data, "unknown_method", f"unknown_method_{number:02}")
    (tmp_path / "class.zip").write_bytes(data)
    start = time.monotonic()
    out = tmp_path / "out"
    done = flowcourse(klass.root, "grade", "1", "--submitted", str(tmp_path / "class.zip"), "--out", str(out))
    seconds = time.monotonic() - start
    with capsys.disabled():
        print(f"\n302 submissions, 300 of them broken: {seconds:.0f} s")
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stderr
    found = entries(klass, out)
    assert found.keys() == set(people)
    for person in people:
        says = SAYS.get(person.rpartition("_")[0])
        if says is None:
            assert points(found[person]) == ALL
        else:
            assert found[person]["outcome"] == "failed" and says in "; ".join(found[person]["why"]), person
    assert seconds < 90
