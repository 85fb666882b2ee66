"""Results stand: they add up, survive `make clean`, carry what a person gave, and are their owner's alone."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from flowlib.course.cli import main
from flowlib.course.grading import clean
from tests.grading.course import ALL, HOUSE, LESSON, Class, make_course
from tests.grading.run import FAST, entries

LATER = "02_later"
RESULTS = Path(".results")


@dataclass
class Said:
    returncode: int
    stdout: str
    stderr: str


def flowcourse(root: Path, *words: str) -> Said:
    """The command as typed in the course, without the seconds that a new Python takes."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["flowcourse", *words]
    try:
        with contextlib.chdir(root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return Said(code, " ".join(out.getvalue().split()), " ".join(err.getvalue().split()))


def zipped(path: Path, notebooks: dict[str, dict], lesson: str = LESSON) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for student, notebook in notebooks.items():
            archive.writestr(f"{student}/{lesson}/exercises.ipynb", json.dumps(notebook))
    return str(path)


def table(path: Path) -> dict[str, dict]:
    with open(path, newline="") as file:
        return {f"{row['student_id']} {row['assignment'][:2]}": row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Two lessons. The first is graded in two zips with marks of a person between them, then the second."""
    root = make_course(tmp_path_factory.mktemp("course"))
    shutil.copytree(root / "solutions" / LESSON, root / "solutions" / LATER)
    shutil.copy(HOUSE / "Makefile", root)
    klass = Class(root)
    klass.said = []

    def grade(lesson: str, name: str, notebooks: dict[str, dict]) -> None:
        done = flowcourse(root, "grade", lesson, "--submitted", zipped(root / name, notebooks, lesson), *FAST)
        assert done.returncode == 0, done.stderr[-2000:]
        klass.said.append(done.stdout)

    grade(LESSON, "first.zip", {"ann": klass.right_notebook(), "bob": klass.right_notebook(task2="x = 1")})
    with Gradebook(f"sqlite:///{root / RESULTS / 'gradebook.db'}") as book:
        mark(book, "ann", "task5", 1.5, "Say why the area stays one.\n<script>alert(1)</script>")
        mark(book, "bob", "task2_test", 2.5, None)
    grade(LESSON, "late.zip", {"zoe": klass.right_notebook()})
    grade(LATER, "next.zip", {"ann": klass.right_notebook()})
    return klass


def mark(book: Gradebook, student: str, cell: str, points: float, comment: str | None) -> None:
    """What formgrader writes when a person marks a cell."""
    grade = book.find_grade(cell, "exercises", LESSON, student)
    grade.manual_score, grade.needs_manual_grade = points, False
    if comment:
        book.find_comment(cell, "exercises", LESSON, student).manual_comment = comment
    book.db.commit()


def page(course, student: str, lesson: str = LESSON) -> str:
    return (course.root / RESULTS / "feedback" / student / lesson / "exercises.html").read_text()


def test_latecomers_and_the_next_lesson_join_and_replace_nothing(course):
    results = course.root / RESULTS
    assert "1 graded now" in course.said[1] and "2 of them came in earlier" in course.said[1]
    lesson = table(results / LESSON / "grades.csv")
    assert set(lesson) == {"ann 01", "bob 01", "zoe 01"}
    assert float(lesson["ann 01"]["score"]) == ALL + 1.5 and float(lesson["bob 01"]["score"]) == ALL - 1.5
    assert set(table(results / LATER / "grades.csv")) == {"ann 02"}
    assert table(results / "grades.csv") == lesson | table(results / LATER / "grades.csv")
    for name in ("grades_canvas.csv", "grades_moodle.csv"):
        assert (
            "zoe" in (results / LESSON / name).read_text() and "bob" in (results / LESSON / name).read_text()
        )
        assert "bob" not in (results / LATER / name).read_text()
    assert "3 submissions" in (results / LESSON / "report.html").read_text()
    assert set(entries(course, RESULTS)) == {"ann", "bob", "zoe"}


def test_what_a_person_gave_stands_on_the_page_after_the_next_run(course):
    """The second zip brought the pages of the first up to the gradebook."""
    ann, bob = page(course, "ann"), page(course, "bob")
    assert f"<b>{ALL + 1.5:g} of {ALL + 2}</b> points." in ann
    assert "<tr><td>task5</td><td>1.5 of 2</td></tr>" in ann and "1.5 of 2, given by a person" in ann
    assert "Say why the area stays one.<br>&lt;script&gt;" in ann and "<script" not in ann
    assert "a person marks this" not in ann
    assert "<tr><td>task2</td><td>2.5 of 4</td></tr>" in bob and "2.5 of 4, given by a person" in bob
    assert "a person has still to give up to 2." in bob and "a person marks this (2)" in bob
    assert f"<b>{ALL} of {ALL + 2}</b> points; a person has still" in page(course, "zoe")
    assert "a person marks this (2)" in page(course, "ann", LATER)
    moodle = (course.root / RESULTS / LESSON / "grades_moodle.csv").read_text()
    assert "Say why the area stays one." in moodle


def test_the_command_rebuilds_pages_and_tables_after_each_mark(course, tmp_path):
    shutil.copytree(course.root / RESULTS, tmp_path / "copy")
    url = f"sqlite:///{tmp_path / 'copy' / 'gradebook.db'}"
    with Gradebook(url) as book:
        mark(book, "zoe", "task5", 2.0, "Right.")
        mark(book, "ann", "task5", 0.0, "On second thoughts, no.")
    done = flowcourse(course.root, "feedback", "1", "--out", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    assert "2 of 3 feedback pages changed." in done.stdout and "1 wait for a person: bob" in done.stdout
    for student, points, words in (("zoe", ALL + 2, "Right."), ("ann", ALL, "On second thoughts, no.")):
        new = (tmp_path / "copy" / "feedback" / student / LESSON / "exercises.html").read_text()
        assert f"<b>{points:g} of {ALL + 2}</b> points." in new and words in new
        row = table(tmp_path / "copy" / LESSON / "grades.csv")[f"{student} 01"]
        assert float(row["score"]) == points
    assert "Say why" not in new
    again = flowcourse(course.root, "feedback", "1", "--out", str(tmp_path / "copy"))
    assert "0 of 3 feedback pages changed." in again.stdout
    nothing = flowcourse(course.root, "feedback", "1", "--out", str(tmp_path / "empty"))
    assert nothing.returncode == 1 and "Run: flowcourse grade 01" in nothing.stderr


def test_make_clean_keeps_marks_and_an_old_gradebook(course):
    before = {path: path.read_bytes() for path in (course.root / RESULTS).rglob("*") if path.is_file()}
    (course.root / ".build" / "grade").mkdir(parents=True)
    (course.root / ".build" / "grade" / "gradebook.db").write_text("of the sample class")
    old = course.root / ".build" / "gradebook.db"
    old.write_text("of an older version")
    refused = subprocess.run(["make", "clean"], cwd=course.root, capture_output=True, text=True)
    assert refused.returncode != 0 and "would delete a gradebook: .build/gradebook.db" in refused.stdout
    assert old.exists()
    old.unlink()
    subprocess.run(["make", "clean"], cwd=course.root, check=True, capture_output=True)
    assert not (course.root / ".build").exists()
    assert {
        path: path.read_bytes() for path in (course.root / RESULTS).rglob("*") if path.is_file()
    } == before
    assert before


def test_results_are_readable_by_their_owner_only(course):
    found = [course.root / RESULTS, *(course.root / RESULTS).rglob("*")]
    assert {"gradebook.db", f"{LESSON}.jsonl", "exercises.html", "grades.csv"} <= {
        path.name for path in found
    }
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_machine_without_a_filter_of_system_calls_is_refused(course, tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    late = zipped(tmp_path / "late.zip", {"eve": course.right_notebook()})
    out = tmp_path / "out"
    done = flowcourse(course.root, "grade", LESSON, "--submitted", late, "--out", str(out))
    assert done.returncode == 1 and not out.exists()
    assert "the filter of system calls knows x86_64 and aarch64, not this machine's riscv64" in done.stderr
    assert "nothing was graded" in done.stderr and "--no-sandbox" in done.stderr


def test_a_box_without_a_filter_holds_nobody(monkeypatch):
    """The last wall says so itself, whatever was found out before: nothing of a student runs."""
    from flowlib.course.box import seccomp, walls

    monkeypatch.setattr(seccomp, "install", lambda: False)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            walls.lock_in(os.getuid(), walls.Limits())
        except walls.NoSandbox:
            os.write(write, b"refused")
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as said:
        assert said.read() == "refused"


# ---------------------------------------------------------------------------- strangers' words

HOSTILE = [
    "<script>x</script>",
    "<img src=x onerror=alert(1)>",
    "![a](http://evil.example/a.png)",
    "![a](//evil.example/a.png)",
    "![a](attachment:a.png)",
    "![a](javascript:alert(1))",
    "[a](javascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    r"\[a\](javascript:alert(1))",
    "<a href='/api/shutdown'>a</a>",
    "<iframe src='http://evil.example'></iframe>",
    "<svg/onload=alert(1)>",
    "<style>@import 'http://evil.example'</style><p style='background:url(http://evil.example)'>a</p>",
    "<form action=http://evil.example><button>a</button></form>",
    "<div id=notebook class=mermaid>a</div>",
    "<math><mtext><script>x</script>",
    "```mermaid\n<script>x</script>\n```",
    "$x$ $$ <script>x</script> $$",
    r"$\href{javascript:alert(1)}{a}$ \\href{javascript:alert(1)}{b}",
    r"$\require{html}\cssId{notebook}{\style{color:red}{a}}$",
    "<!-- mark task5 --><!-- end mark task5 -->",
    "`<script>x</script>`\n\n    <script>x</script>",
    "<" * 30_000 + "<script>",
]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("harmless", [clean.markdown, clean.plain, clean.cleaned, clean.formula])
def test_no_markup_of_a_stranger_does_anything(harmless, words):
    """Read as a browser reads it, before and after formgrader's own rendering of the cell."""
    from bs4 import BeautifulSoup
    from nbconvert.filters import markdown2html_mistune

    once = harmless(words)
    twice = markdown2html_mistune(clean.cell_source(once))
    for content in (once, twice):
        assert "<!--" not in content
        for tag in BeautifulSoup(content, "html.parser").find_all(True):
            assert tag.name in {"div", "p", "pre", "code", "a", "img", "span"}, content[:500]
            assert set(tag.attrs) <= {"href", "rel", "src", "alt"}
            assert tag.get("href", "#").startswith(("https://", "#"))
            assert tag.get("src", "data:image/png;base64,").startswith("data:image/")
        assert not [name for name in ("href", "require", "cssId", "style") if rf"\{name}" in content]
    assert (
        BeautifulSoup(once, "html.parser").get_text().split()
        == BeautifulSoup(twice, "html.parser").get_text().split()
    )


def test_honest_words_keep_their_form():
    source = (
        "# Why\n\nDensity *falls* where $a < b_1 * c_2$, see [here](https://example.org).\n\n"
        "$$\\log|J| = \\sum_i s_i$$\n\n- one\n- `x < 1`\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n"
        "```python\nx = 1\n\n\ny = 2\n```\n\n![dot](data:image/png;base64,iVBORw0KGgo=)"
    )
    made = clean.markdown(source)
    for words in (
        *("<h1>Why</h1>", "<em>falls</em>", "<li>one</li>", "<td>2</td>", "<code>x &lt; 1</code>"),
        *("$a &lt; b_1 * c_2$", r"$$\log|J| = \sum_i s_i$$", 'href="https://example.org"'),
        'src="data:image/png;base64,iVBORw0KGgo="',
    ):
        assert words in made
