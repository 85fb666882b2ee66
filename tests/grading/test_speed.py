"""How fast grading is, what the sandbox costs, and what many submissions do to memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pytest

from flowlib.course.box import inside
from flowlib.course.box.outside import Box
from flowlib.course.box.walls import Limits
from tests.grading.course import ALL, LESSON, Class, make_course
from tests.grading.run import FAST, book, command, entries, grade, points
from tests.grading.test_run import kill_and_resume, make_class


def right_class(root: Path, count: int) -> Class:
    klass = Class(make_course(root))
    for number in range(count):
        klass.hand_in(f"student{number:03}", klass.right_notebook())
    return klass


def stock(klass: Class, folder: Path) -> float:
    """Seconds of nbgrader's own autograde on the same submissions, with its default settings."""
    shutil.copytree(klass.root / "solutions", folder / "source")
    shutil.copytree(klass.submitted, folder / "submitted")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    say = dict(cwd=folder, env=environment, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "nbgrader", "generate_assignment", LESSON], **say)
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "nbgrader", "autograde", LESSON], **say)
    return time.monotonic() - start


def ours(klass: Class, out: str) -> float:
    start = time.monotonic()
    run = grade(klass, "--workers", "2", out=out)
    assert run.returncode == 0, run.stderr[-2000:]
    seconds = time.monotonic() - start
    assert {points(entry) for entry in entries(klass, out).values()} == {ALL}
    return seconds


@pytest.mark.parametrize(
    ("count", "at_least"), [(8, 2.5), pytest.param(24, 5.0, marks=pytest.mark.soak)], ids=["few", "class"]
)
def test_faster_than_stock_nbgrader(tmp_path, capsys, count, at_least):
    """So many times as many submissions a minute on 2 cores, the sandbox and all start-up included."""
    klass = right_class(tmp_path / "course", count)
    (tmp_path / "stock").mkdir()
    times = [ours(klass, "one")]
    theirs = stock(klass, tmp_path / "stock")
    times.append(ours(klass, "two"))
    ratio = theirs / median(times)
    with capsys.disabled():
        ours_now = f"{count} submissions: {median(times):.1f} s"
        print(f"\n{ours_now}, stock nbgrader {theirs:.1f} s: {ratio:.1f} times as fast")
    assert ratio >= at_least


def test_the_sandbox_costs_little(capsys):
    """Start, first cell and end of a boxed process against an unboxed one: at most 0.2 s more."""
    inside.warm_up()
    zygote = inside.start()
    times: dict[bool, list[float]] = {True: [], False: []}
    try:
        with tempfile.TemporaryDirectory() as place:
            Path(place).chmod(0o755)
            folder = Path(place) / "submission"
            folder.mkdir()
            for turn in range(16):
                isolate = turn % 2 == 0
                start = time.perf_counter()
                with Box(zygote, folder, Limits(), isolate=isolate) as one:
                    assert one.run("import torch\ntorch.ones(3).sum()", 30)["error"] is None
                times[isolate].append(time.perf_counter() - start)
    finally:
        zygote.close()
    cost = median(times[True]) - median(times[False])
    with capsys.disabled():
        print(f"\nboxed {median(times[True]):.3f} s, unboxed {median(times[False]):.3f} s: {cost:+.3f} s")
    assert cost <= 0.2


def peak_memory(klass: Class, out: str) -> float:
    """MB that the grader or one of its workers held at most."""
    with open(os.devnull, "w") as null:
        process = subprocess.Popen(command(klass, out=out), cwd=klass.root, stdout=null, stderr=null)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


@pytest.mark.soak
def test_memory_is_flat(tmp_path, capsys):
    few = peak_memory(right_class(tmp_path / "few", 20), "out")
    many = peak_memory(right_class(tmp_path / "many", 200), "out")
    with capsys.disabled():
        print(f"\npeak memory: {few:.0f} MB for 20 submissions, {many:.0f} MB for 200")
    assert many <= 1.1 * few


@pytest.mark.soak
def test_two_hundred_submissions_and_ten_kills(tmp_path):
    klass = make_class(tmp_path, 200)
    assert grade(klass, *FAST, timeout=3600).returncode == 0
    assert kill_and_resume(klass, "killed", 10, seed=7) == 10
    assert book(klass, "killed") == book(klass)
