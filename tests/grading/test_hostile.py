"""The hostile class: nobody gets what he has not earned, sees what is not his, or harms another."""

from __future__ import annotations

import hashlib
import json
import os
import time
from html.parser import HTMLParser
from pathlib import Path

import psutil
import pytest

from tests.grading.course import ALL, LESSON, Class, make_course
from tests.grading.hostile import ATTACKS
from tests.grading.run import FAST, entries, executed, feedback, grade, points

HONEST = ("aa_victim", "mm_middle", "zz_sentinel")
SECRETS = ("secret_slope", "hidden_points", "TOKEN-1234")
BOASTS = ("STOLEN", "CONNECTED", "ESCAPED", "WRITTEN")


def fingerprints(folder: Path) -> dict[str, str]:
    """What lies under a folder: names, and contents or targets of links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = "folder or special file"
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    klass = Class(make_course(tmp_path_factory.mktemp("hostile")))
    for student in HONEST:
        klass.hand_in(student, klass.right_notebook())
    for attack in ATTACKS:
        attack.write(klass, attack.name)
    guarded = [klass.root / "solutions", klass.submitted, klass.root / "nbgrader_config.py"]
    before = {path: fingerprints(path) if path.is_dir() else path.read_bytes() for path in guarded}
    start = time.monotonic()
    run = grade(klass, *FAST, "--class-key", "tests")
    klass.seconds = time.monotonic() - start
    klass.run, klass.entries, klass.before = run, entries(klass), before
    (klass.root / "table.txt").write_text(table(klass))
    return klass


def table(klass: Class) -> str:
    """Each attack, what came of it, and the evidence."""
    lines = []
    for attack in ATTACKS:
        entry = klass.entries.get(attack.name)
        if entry is None:
            lines.append(f"{attack.name:24} no outcome")
            continue
        statuses = " ".join(f"{o['score']:g}" for o in entry["tests"].values())
        message = next((o["message"] for o in entry["tests"].values() if o["message"]), "")[:90]
        lines.append(
            f"{attack.name:24} {entry['outcome']:8} {statuses:10} earned {attack.earned:4g} "
            f"{entry['seconds']:5.1f} s | {attack.what} | {'; '.join(entry['why'])[:110]} | {message!r}"
        )
    return "\n".join(lines) + "\n"


def test_there_are_enough_attacks():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 45


def test_the_run_ends_well_and_says_who_needs_a_person(graded):
    assert graded.run.returncode == 0, graded.run.stderr[-3000:]
    assert f"{len(ATTACKS) + len(HONEST)} submissions have an outcome" in graded.run.stdout
    assert "need a person" in graded.run.stdout
    assert "Traceback" not in graded.run.stdout + graded.run.stderr


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_gets_exactly_what_it_earned(graded, attack):
    entry = graded.entries[attack.name]
    assert points(entry) == attack.earned, {k: (o["status"], o["message"]) for k, o in entry["tests"].items()}
    assert attack.outcome in ("any", entry["outcome"]), entry["why"]
    assert (
        all(outcome["status"] != "not graded" for outcome in entry["tests"].values())
        or entry["outcome"] == "failed"
    )
    assert entry["seconds"] <= 60 + 10


@pytest.mark.parametrize("student", HONEST)
def test_no_classmate_loses_a_point(graded, student):
    assert points(graded.entries[student]) == ALL
    assert graded.entries[student]["outcome"] == "graded"


def test_nothing_outside_the_box_was_changed(graded):
    for path, content in graded.before.items():
        assert (fingerprints(path) if path.is_dir() else path.read_bytes()) == content
    assert not list(graded.root.rglob("PWNED"))
    for folder in ("/usr/lib", "/home", Path(psutil.__file__).parents[1]):
        assert not (Path(folder) / "zz_poison.pth").exists()


def test_nothing_was_read_or_reached_that_is_not_theirs(graded):
    for attack in ATTACKS:
        if graded.entries[attack.name]["outcome"] == "failed":
            continue
        notebook = executed(graded, attack.name)
        shown = json.dumps([cell.get("outputs") for cell in notebook["cells"]])
        shown += json.dumps([o["message"] for o in graded.entries[attack.name]["tests"].values()])
        for word in BOASTS:
            assert word not in shown, f"{attack.name}: {shown[max(0, shown.index(word) - 100) :][:400]}"


def test_no_hidden_test_reaches_a_student(graded):
    for student in [*HONEST, *(attack.name for attack in ATTACKS)]:
        if graded.entries[student]["outcome"] == "failed":
            continue
        texts = feedback(graded, student) + json.dumps(executed(graded, student))
        texts += json.dumps(graded.entries[student]["comments"])
        sources = json.dumps(graded.entries[student]["sources"])
        for secret in SECRETS:
            assert secret not in texts or secret in sources, f"{secret} in the feedback of {student}"


class Tags(HTMLParser):
    """Collects what could act in a page."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "iframe", "form", "svg", "object", "embed", "base", "link"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith(("javascript:", "//")):
                self.found.append(f"{tag} {name}={value}")


def test_feedback_holds_nothing_that_acts(graded):
    out = graded.root / "out"
    for page in [*out.glob("feedback/*/*/*.html"), out / LESSON / "report.html"]:
        tags = Tags()
        content = page.read_text()
        tags.feed(content)
        assert not tags.found, f"{page}: {tags.found[:5]}"
        assert content.count("<meta http-equiv") == 1 and "script-src" not in content
        assert len(content) < 6 * 2**20, f"{page} has {len(content) / 2**20:.1f} MB"


def test_nothing_lives_on(graded):
    for process in psutil.process_iter(["cmdline", "uids"]):
        words = " ".join(process.info["cmdline"] or [])
        assert "flowcourse-daemon" not in words
        assert str(graded.root) not in words, words
