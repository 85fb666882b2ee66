"""How a class arrives: the layouts of learning platforms, names in all scripts, zips with bad members."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import tempfile
import unicodedata
import zipfile
from itertools import takewhile
from pathlib import Path

import pytest

from flowlib.course.folders import CourseError
from flowlib.course.grading import preflight
from flowlib.course.grading.intake import read_class, read_times
from flowlib.course.grading.names import Person, student_name, tell_apart
from flowlib.course.grading.report import _cell
from tests.grading.course import ALL, LESSON, Class, make_course
from tests.grading.run import FAST, entries, feedback, grade, points

ACCENT, HINDI, THAI = "Jürgen Müller", "नेहा शर्मा", "ณัฐพล ศรีสุข"
ENCRYPTED, UTF8 = 0x1, 0x800


def apart(name: str) -> str:
    """A name as macOS writes it: accents apart from their letters."""
    return unicodedata.normalize("NFD", name)


def zipped(path: Path, files: dict[str, bytes | str] | list[str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip; files of which only the names are given hold their own names."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in files:
            archive.writestr(name, files[name] if isinstance(files, dict) else name)
    return path


def laid_out(root: Path, files: list[str]) -> Path:
    """The same files in a folder."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def change(path: Path, member: str, flags: int = 0, drop: int = 0, method: int | None = None) -> None:
    """Rewrite what a zip says of a member, in its two headers: flags to set or to drop, and the method."""
    content = bytearray(path.read_bytes())
    for start, at, length, name_at in ((b"PK\x03\x04", 6, 26, 30), (b"PK\x01\x02", 8, 28, 46)):
        where = -1
        while (where := content.find(start, where + 1)) >= 0:
            (size,) = struct.unpack_from("<H", content, where + length)
            if content[where + name_at :][:size] == member.encode():
                (old,) = struct.unpack_from("<H", content, where + at)
                struct.pack_into("<H", content, where + at, old & ~drop | flags)
                if method is not None:
                    struct.pack_into("<H", content, where + at + 2, method)
    path.write_bytes(content)


def damage(path: Path, member: str) -> None:
    """Turn over a byte in the middle of what a member holds."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename.encode()) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)


# ---------------------------------------------------------------------------- layouts

# Of each layout the files and, for each student, which of them is the notebook that must be graded.
LAYOUTS = {
    "Moodle": {
        f"{apart(ACCENT)}_4711_assignsubmission_file_/exercises.ipynb": ACCENT,
        f"{HINDI}_4712_assignsubmission_file_/exercises.ipynb": HINDI,
        f"{HINDI}_4712_assignsubmission_onlinetext_/onlinetext.html": None,
        f"{THAI}_4713_assignsubmission_file/exercises.ipynb": THAI,
    },
    "Moodle without folders": {
        f"{apart(ACCENT)}_4711_assignsubmission_file_exercises.ipynb": ACCENT,
        f"{HINDI}_4712_assignsubmission_file_exercises.ipynb": HINDI,
        f"{THAI}_4713_assignsubmission_file_exercises.ipynb": THAI,
    },
    "Canvas": {
        f"{apart('müllerjürgen')}_11_901_exercises.ipynb": "müllerjürgen",
        "शर्मानेहा_LATE_12_902_exercises-2.ipynb": "शर्मानेहा",
        "शर्मानेहा_LATE_12_904_data.csv": None,
        "ศรีสุขณัฐพล_13_903_exercises.ipynb": "ศรีสุขณัฐพล",
    },
    "Canvas, anonymous": {
        "anon_Xy12z_901_exercises.ipynb": "anon_Xy12z",
        "LATE_anon_Ab34c_902_exercises-1.ipynb": "anon_Ab34c",
        "anon_98765_903_exercises.ipynb": "anon_98765",
    },
    "Blackboard": {
        f"Exercise_3_{apart('müller')}_attempt_2026-01-31-12-00-00_exercises.ipynb": "müller",
        f"Exercise_3_{apart('müller')}_attempt_2026-01-31-12-00-00.txt": None,
        "Exercise_3_नेहा_attempt_2026-01-30-09-00-00_exercises.ipynb": None,
        "Exercise_3_नेहा_attempt_2026-01-31-23-59-59_exercises.ipynb": "नेहा",
        "Exercise_3_ณัฐพล_s_attempt_2026-01-31-12-00-01_exercises.ipynb": "ณัฐพล_s",
    },
    "ILIAS": {
        f"Multi Feedback/Abgaben/{apart('Müller')}_Jo_j_12/20260130101010_exercises.ipynb": None,
        f"Multi Feedback/Abgaben/{apart('Müller')}_Jo_j_12/20260131101010_exercises.ipynb": "Müller_Jo_j_12",
        "Multi Feedback/Abgaben/शर्मा_नेहा_ns_13/exercises.ipynb": "शर्मा_नेहा_ns_13",
        "Multi Feedback/Abgaben/ศรีสุข_ณัฐพล_ss_14/exercises.ipynb": "ศรีสุข_ณัฐพล_ss_14",
    },
    "Sakai": {
        f"Exercise 3/{apart('Müller, Jo')}(jm)/Submission attachment(s)/exercises.ipynb": "Müller, Jo(jm)",
        f"Exercise 3/{apart('Müller, Jo')}(jm)/Feedback Attachment(s)/exercises.ipynb": None,
        "Exercise 3/शर्मा, नेहा(ns)/शर्मा, नेहा(ns)_submissionText.html": None,
        "Exercise 3/शर्मा, नेहा(ns)/Submission attachment(s)/exercises.ipynb": "शर्मा, नेहा(ns)",
        "Exercise 3/ศรีสุข, ณัฐพล(ss)/Anhänge der Abgabe/exercises.ipynb": "ศรีสุข, ณัฐพล(ss)",
        "Exercise 3/grades.csv": "passed over",
    },
    "GitHub Classroom": {
        f"planar-flows-submissions/planar-flows-{apart('jürgen')}/exercises.ipynb": "jürgen",
        "planar-flows-submissions/planar-flows-नेहा/README.md": None,
        f"planar-flows-submissions/planar-flows-नेहा/lessons/{LESSON}/exercises.ipynb": "नेहा",
        "planar-flows-submissions/planar-flows-नेहा/lessons/02_next/exercises.ipynb": None,
        f"planar-flows-submissions/planar-flows-ณัฐพล/{LESSON}/exercises.ipynb": "ณัฐพล",
    },
    "nbgrader": {
        f"submitted/{apart(ACCENT)}/{LESSON}/exercises.ipynb": ACCENT,
        f"submitted/{apart(ACCENT)}/02_next/exercises.ipynb": None,
        f"submitted/{HINDI}/{LESSON}/exercises.ipynb": HINDI,
        f"submitted/{THAI}/{LESSON}/my work/exercises.ipynb": THAI,
        "submitted/late/02_next/exercises.ipynb": "passed over",
    },
    "a folder for each student": {
        f"hand-ins/{apart(ACCENT)}/exercises.ipynb": ACCENT,
        f"hand-ins/{apart(ACCENT)}/scratch.ipynb": None,
        f"hand-ins/{HINDI}/exercises (1).ipynb": HINDI,
        f"hand-ins/{THAI}/exercises.ipynb": THAI,
    },
    "a notebook for each student": {
        f"hand-ins/{apart(ACCENT)}.ipynb": ACCENT,
        f"hand-ins/{HINDI}.ipynb": HINDI,
        f"hand-ins/{THAI}.ipynb": THAI,
        "hand-ins/readme.txt": "passed over",
    },
}


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_told_from_the_names_alone(tmp_path, layout, as_zip):
    files = LAYOUTS[layout]
    source = (
        zipped(tmp_path / "class.zip", list(files)) if as_zip else laid_out(tmp_path / "class", list(files))
    )
    found = read_class(source, LESSON)
    assert found.layout == layout.partition(" without")[0].partition(",")[0] or found.layout.startswith("a ")
    wanted = {student: path for path, student in files.items() if student not in (None, "passed over")}
    assert set(found) == set(wanted) and len(wanted) == 3
    for student, path in wanted.items():
        collected = found[student]()
        notebooks = [content for name, content in collected.files.items() if name.startswith("exercises")]
        assert [content.decode() for content in notebooks] == [path]
        assert not collected.flags
    over = [path for path, student in files.items() if student == "passed over"]
    assert all(any(path.startswith(named) for named in found.passed_over) for path in over)
    assert len(found.passed_over) == len(over) and not found.renamed


@pytest.mark.parametrize(
    "files",
    [
        ["exercises.ipynb", "lesson.ipynb", "demo.ipynb"],  # one student's own work, in five forms
        ["my work/exercises.ipynb", "my work/data.csv"],
        [f"flows/lessons/{LESSON}/exercises.ipynb", "flows/lessons/02_next/exercises.ipynb"],
        [f"{LESSON}/exercises.ipynb", "02_next/exercises.ipynb"],
        ["final_flow_exercise_3/exercises.ipynb"],
        ["anna.ipynb"],
        ["Group A/anna.ipynb", "Group A/bob.ipynb", "Group B/eve.ipynb"],  # whose folders are these?
        ["North/anna/x/exercises.ipynb", "South/bob/x/exercises.ipynb"],
        ["anna.pdf", "bob.pdf"],
        [],
    ],
)
def test_an_unknown_layout_is_refused_with_the_list_of_the_known(tmp_path, files):
    laid_out(tmp_path / "class", [*files, ".hidden/x"])
    for source in (zipped(tmp_path / "class.zip", files), tmp_path / "class"):
        with pytest.raises(CourseError) as refused:
            read_class(source, LESSON)
        words = str(refused.value)
        shown = [name for name in files if name.endswith(".ipynb")] or files
        assert "holds no submission" in words and all(repr(name) in words for name in shown)
        known = ("Moodle", "Blackboard", "Sakai", "GitHub Classroom", "nbgrader", "Canvas", "ILIAS")
        assert all(f"  {name}: " in words for name in known)


def test_a_students_zip_is_opened_in_memory(tmp_path):
    held, course = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("__MACOSX/._exercises.ipynb", "droppings")
        archive.writestr("my work/exercises.ipynb", "work")
        archive.writestr("my work/data.csv", "1")
        archive.writestr("../../etc/passwd", "trick")
    with zipfile.ZipFile(course, "w") as archive:
        archive.writestr("flows/lessons/02_next/exercises.ipynb", "another lesson")
        archive.writestr(f"flows/lessons/{LESSON}/exercises.ipynb", "this one")
    source = zipped(
        tmp_path / "class.zip",
        {
            "ann_1_2_work.zip": held.getvalue(),
            "bob_3_4_flows.ZIP": course.getvalue(),
            "eve_5_6_work.zip": b"PK, but no zip",
            "zoe_7_8_moodle.zip": zipped(tmp_path / "moodle.zip", list(LAYOUTS["Moodle"])).read_bytes(),
        },
    )
    ann, bob, eve, zoe = (read() for read in read_class(source, LESSON).values())
    assert ann.files == {"exercises.ipynb": b"work", "data.csv": b"1"}
    assert len(ann.flags) == 1 and "leads elsewhere" in ann.flags[0]
    assert bob.files == {"exercises.ipynb": b"this one"}
    assert zoe.flags == ["'moodle.zip' holds the work of several people: it was not opened"] and not zoe.files
    assert eve.flags == ["'work.zip' is no zip file, or a damaged one: it was not opened"]


# ---------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "Jürgen Müller",
        "Nguyễn Thị Hà",
        "Żółć",
        "नेहा शर्मा",
        "ณัฐพล ศรีสุข",
        "שָׁלוֹם",
        "محمد علي",
        "李小龍",
        "O’Brien-Ó Dónaill",
    ]
    + ["मुहम्मद\u200dअली", "Ann B. (2), jr. @home+1"],
)
def test_a_name_is_kept_in_any_script_and_form(name):
    assert student_name(name) == student_name(apart(name)) == unicodedata.normalize("NFC", name)


def test_a_long_name_fits_a_folder_and_a_database(tmp_path):
    for name in ("नेहा" * 100, "x" * 300, "é" * 300):
        safe = student_name(apart(name))
        assert len(safe) <= 100 and len(safe.encode()) <= 200 and name.startswith(safe)
        (tmp_path / safe).mkdir()


@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "folder"])
def test_two_who_would_share_a_name_are_told_apart_and_flagged(tmp_path, as_zip):
    files = [f"{name}/{LESSON}/exercises.ipynb" for name in ("ann;lee", "ann_lee", "ann?lee", "bob!")]
    seen = []
    for number, order in enumerate((files, files[::-1])):
        folder = tmp_path / str(number)
        source = zipped(tmp_path / f"{number}.zip", order) if as_zip else laid_out(folder, order)
        found = read_class(source, LESSON)
        seen.append({student: read().files["exercises.ipynb"].decode() for student, read in found.items()})
    assert seen[0] == seen[1] and len(seen[0]) == 4
    assert seen[0]["ann_lee"] == files[1]  # whose name it is keeps it
    for student, read in found.items():
        alone = student == "bob_"
        assert bool(read().flags) != alone and (alone or "'ann_lee'" in read().flags[0])
        assert bool(read().notes) == (student != "ann_lee")
    assert ("bob!", "bob_") in found.renamed and len(found.renamed) == 3


def test_one_name_in_two_sections_is_of_two_people(tmp_path):
    files = [f"{section}/ann/{LESSON}/exercises.ipynb" for section in ("monday", "friday")]
    found = read_class(zipped(tmp_path / "class.zip", files), LESSON)
    assert sorted(found) == ["ann friday", "ann monday"]
    assert [read().files["exercises.ipynb"].decode() for read in found.values()] == [files[1], files[0]]


def test_a_later_run_knows_everybody_again():
    first = tell_apart([Person("Wei Zhang", "1"), Person("Ann", "2"), Person("ann_lee")], {})
    known = {named.student: person.origin for person, named in first.items()}
    assert set(known) == {"Wei Zhang", "Ann", "ann_lee"}
    late = [Person("Wei Zhang", "9"), Person("Ann", "2"), Person("ann;lee"), Person("Wei Zhang", "1")]
    later = tell_apart(late, known)
    assert later[late[0]].student == "Wei Zhang 9" and later[late[0]].flags
    assert later[late[1]].student == "Ann" and not later[late[1]].flags
    assert later[late[2]].student.startswith("ann_lee ") and later[late[2]].flags
    assert later[late[3]].student == "Wei Zhang"
    everybody = tell_apart([Person("Ann"), Person("Ann", "2"), Person("Ann", "3")], known)
    assert (
        sorted(named.student for named in everybody.values())[0]
        == everybody[Person("Ann", "2")].student
        == "Ann"
    )
    assert len({named.student for named in everybody.values()}) == 3
    # Two forms of one name in one class, twice.
    forms = [Person("Müller"), Person(apart("Müller"))]
    once = {person: named.student for person, named in tell_apart(forms, {}).items()}
    again = tell_apart(forms[::-1], {student: person.origin for person, student in once.items()})
    assert len(set(once.values())) == 2 and once == {person: named.student for person, named in again.items()}
    # A platform that gives no number tells nothing of two people.
    assert tell_apart([Person("Ann")], known)[Person("Ann")].student == "Ann"
    assert tell_apart([Person(apart("Müller"))], {"Müller": ["Müller", ""]}).popitem()[1].flags == []


@pytest.mark.parametrize(
    "name", ["-anna", "@anna", "+49 170 1234", "नेहा शर्मा", "O'Brien", "-3.5", "a=b", "(x)"]
)
def test_an_identifier_reaches_the_tables_unchanged(name):
    assert _cell(name) == name


@pytest.mark.parametrize(
    "words",
    ["=1+1", "+A1", "-1+1", "@SUM(1)", "-cmd|' /C calc'!A0", "\t=1", "\r=1", "=HYPERLINK(1)", "+x&y", "@a!b"],
)
def test_a_formula_is_still_made_harmless(words):
    assert _cell(words) == "'" + words


def test_times_are_found_by_names_in_either_form(tmp_path):
    table = tmp_path / "times.csv"
    table.write_text(
        f"student,time\n{apart(ACCENT)},2026-01-31T12:00:00\n{HINDI},2026-01-31T12:00:00+01:00\n"
    )
    assert set(read_times(table)) == {ACCENT, HINDI}
    for content, says in (
        (b"M\xfcller,2026-01-31", "UTF-8"),
        (b"ann,9999999-01-31", "line 1"),
        (b"ann", "line 1"),
    ):
        table.write_bytes(content)
        with pytest.raises(CourseError, match=says):
            read_times(table)


# ---------------------------------------------------------------------------- bad zips and folders


def test_a_zip_of_finder_is_read_as_utf8_though_it_does_not_say_so(tmp_path):
    member = f"{apart(ACCENT)}/{LESSON}/exercises.ipynb"
    source = zipped(tmp_path / "class.zip", [member, f"bob/{LESSON}/exercises.ipynb"])
    change(source, member, drop=UTF8)
    with zipfile.ZipFile(source) as archive:
        assert member not in archive.namelist()
    assert set(read_class(source, LESSON)) == {ACCENT, "bob"}


def test_a_zip_that_lies_of_its_sizes_or_repeats_a_path_is_read_all_the_same(tmp_path, monkeypatch):
    source = tmp_path / "class.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive, pytest.warns(UserWarning):
        archive.writestr(f"ann/{LESSON}/exercises.ipynb", "first")
        archive.writestr(f"ann/{LESSON}/exercises.ipynb", "second")
        archive.writestr(f"../ann/{LESSON}/exercises.ipynb", "trick")
        archive.writestr(f"ann/{LESSON}/data", "a file")
        archive.writestr(f"ann/{LESSON}/data/x.csv", "the same name as a folder")
        archive.writestr(f"ann/{LESSON}/{'y' * 300}", "no folder can hold this name")
        archive.writestr(f"bob/{LESSON}/huge.csv", b"0" * 5000)
    monkeypatch.setattr(preflight, "MAX_FILE_BYTES", 1000)
    ann, bob = (read() for read in read_class(source, LESSON).values())
    assert ann.files == {"exercises.ipynb": b"second", "data": b"a file"}
    assert len(ann.flags) == 2 and all("no folder can hold" in flag for flag in ann.flags)
    assert not bob.files and bob.notes == ["'bob/01_small/huge.csv' is too large: it was not read"]


def test_a_zip_without_a_readable_index_is_one_sentence(tmp_path):
    source = zipped(tmp_path / "class.zip", [f"ann/{LESSON}/exercises.ipynb"])
    content = source.read_bytes()
    source.write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x00"))
    with pytest.raises(CourseError, match=r"cannot be read as a zip file: .*Pack it again"):
        read_class(source, LESSON)
    source.write_bytes(b"no zip at all")
    with pytest.raises(CourseError, match="no folder of submissions and no zip"):
        read_class(source, LESSON)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's rights")
def test_a_folder_that_nobody_may_read_or_that_vanishes_is_a_flag(tmp_path):
    laid_out(tmp_path, [f"{name}/{LESSON}/exercises.ipynb" for name in ("ann", "bob", "eve", "zoe")])
    laid_out(tmp_path, [f"zoe/{LESSON}/private/x.csv"])
    tmp_path.chmod(0o755)
    for closed in (tmp_path / "ann", tmp_path / "bob" / LESSON, tmp_path / "zoe" / LESSON / "private"):
        closed.chmod(0o700)
    for above in takewhile(lambda folder: folder != Path(tempfile.gettempdir()), tmp_path.parents):
        above.chmod(above.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        found = read_class(tmp_path, LESSON)
        ann, bob, zoe = (found[name]() for name in ("ann", "bob", "zoe"))
    finally:
        os.seteuid(0)
    assert not ann.files and "could not be opened (Permission denied)" in ann.flags[0]
    assert not bob.files and "could not be opened (Permission denied)" in bob.flags[0]
    assert list(zoe.files) == ["exercises.ipynb"] and "'private' could not be read" in zoe.flags[0]
    (tmp_path / "eve" / LESSON / "exercises.ipynb").unlink()
    (tmp_path / "eve" / LESSON).rmdir()
    assert "could not be opened (No such file or directory)" in found["eve"]().flags[0]


# ---------------------------------------------------------------------------- by the instructor's road


@pytest.fixture(scope="module")
def moodle(tmp_path_factory) -> Class:
    """A class in two zips of Moodle, graded by the command: nine people, four with bad members; then two."""
    klass = Class(make_course(tmp_path_factory.mktemp("moodle")))
    right = klass.notebook(**klass.right)
    work = json.dumps(right)

    def path(name: str, number: int) -> str:
        return f"{name}_{number}_assignsubmission_file_/exercises.ipynb"

    names = [apart(ACCENT), HINDI, THAI, "corrupt", "locked", "method", "Wei Zhang", "a;b"]
    files = {path(name, number): work for number, name in enumerate(names)}
    klass.submitted = zipped(klass.root / "class.zip", files | {"../../" + path("trick", 9): work})
    damage(klass.submitted, path("corrupt", 3))
    change(klass.submitted, path("locked", 4), flags=ENCRYPTED)
    change(klass.submitted, path("method", 5), method=99)
    times = klass.root / "times.csv"
    times.write_text(f"student,time\n{ACCENT},2026-01-31T12:00:00\n", encoding="utf-8")
    first = grade(klass, *FAST, "--times", str(times))
    late = {path("Wei Zhang", 77): json.dumps(klass.notebook()), path(HINDI, 1): work}
    klass.submitted = zipped(klass.root / "late.zip", late)
    second = grade(klass, *FAST)
    klass.said = first, second
    return klass


def test_a_bad_member_is_its_owners_and_the_others_are_graded(moodle):
    first, _ = moodle.said
    assert first.returncode == 0 and "Traceback" not in first.stdout + first.stderr, first.stderr[-2000:]
    done = entries(moodle)
    for name, why in {
        "corrupt": "is damaged in the zip",
        "locked": "is locked with a password",
        "method": "is packed by method 99",
        "trick": "has a path that leads elsewhere",
    }.items():
        assert done[name]["outcome"] == "failed" and why in done[name]["why"][0]
    for name in (ACCENT, HINDI, THAI, "Wei Zhang", "a_b"):
        assert points(done[name]) == ALL and done[name]["outcome"] == "graded"
    assert "The class came in the layout of Moodle." in first.stdout
    assert "the name 'a;b 7' was written as 'a_b'" in first.stdout


def test_names_are_the_same_in_tables_times_and_folders(moodle):
    with open(moodle.root / "out" / "grades.csv", newline="", encoding="utf-8") as table:
        assert {ACCENT, HINDI, THAI} <= {row["student_id"] for row in csv.DictReader(table)}
    assert entries(moodle)[ACCENT]["submitted"] is not None
    assert all(feedback(moodle, name) for name in (ACCENT, HINDI, THAI))


def test_somebody_of_the_same_name_in_a_later_zip_replaces_nobody(moodle):
    _, second = moodle.said
    assert second.returncode == 0, second.stderr[-2000:]
    done = entries(moodle)
    assert points(done["Wei Zhang"]) == ALL and points(done["Wei Zhang 77"]) == 0
    assert done["Wei Zhang 77"]["outcome"] == "flagged" and "somebody else" in done["Wei Zhang 77"]["why"][0]
    assert "1 graded now" in second.stdout
